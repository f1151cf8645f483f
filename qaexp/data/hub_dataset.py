"""Where the files of a hub data set at one commit are: in a local cache, or fetched from the hub within bounds.

`datasets.load_dataset` without a network takes the newest cached revision, whatever revision was asked for (tried with
datasets 5.2). Here the commit is part of the path that is looked up, and a file's content is held against the sha256
that the hub's cache names it by, so a pinned revision is what it says or is refused.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.data.files.shards import Shards, in_order, is_complete, one_file
from qaexp.errors import ConfigError, DataError
from qaexp.storage import hub
from qaexp.storage.sources import HUB_SPLITS

_KEYS = ("dataset", "config_name", "revision")
_NAME = re.compile(r"[\w-][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def identity(keys: Mapping[str, Any]) -> dict[str, str]:
    """The data set, its configuration and its commit; see `Reader`.

    Raises:
        ConfigError: As `check_pin`.
    """
    return dict(zip(_KEYS, check_pin(*map(keys.get, _KEYS)), strict=True))


def files(keys: Mapping[str, Any]) -> dict[str, Shards]:
    """Find the files of `train` and `dev`; see `Reader`.

    Raises:
        ConfigError: As `check_pin`.
        DataError: As `hub_files`.
    """
    return hub_files(*check_pin(*map(keys.get, _KEYS)))


def check_pin(dataset: str | None, config_name: str | None, revision: str | None) -> tuple[str, str, str]:
    """Return the three keys of a hub data set if they pin it.

    Raises:
        ConfigError: One is missing or is no legal name, or the revision is a branch or tag, which can move.
    """
    problems = []
    parts = (dataset or "").split("/")
    if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
        problems.append(f"data.dataset is {dataset!r}, it must be a hub id such as rajpurkar/squad_v2.")
    if not _NAME.fullmatch(config_name or ""):
        problems.append(f"data.config_name is {config_name!r}, it must name a configuration such as squad_v2.")
    if not _COMMIT.fullmatch(revision or ""):
        problems.append(
            f"data.revision is {revision!r}, it must be a full commit hash of 40 hex digits: a branch or "
            "tag can move, and runs on it could not be compared."
        )
    if problems:
        raise ConfigError(*problems)
    return str(dataset), str(config_name), str(revision)


def hub_files(dataset: str, config_name: str, revision: str) -> dict[str, Shards]:
    """Find the files of each split at a commit: in the hub's cache, in that of `datasets`, or on the hub.

    Returns:
        `train` and `dev` with parquet or Arrow files each: one, or shards whose names say how many there are.

    Raises:
        DataError: It is not cached and the hub cannot be reached (known within seconds) or refuses it, or
            a cached file is damaged. The message has the command that fetches the data set beforehand.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    cached = _hub_cache(dataset, config_name, revision) or _datasets_cache(dataset, config_name, revision)
    if cached:
        _log.info("%s at %s is read from the cache: %s", dataset, revision, cached["train"].paths[0].parent)
        return cached
    if (reason := hub.why_not_there()) is not None:
        raise _unavailable(dataset, config_name, revision, reason)
    try:
        HfApi(endpoint=hub.endpoint()).dataset_info(dataset, revision=revision, timeout=hub.ANSWER_SECONDS)
        found = _hub_cache(dataset, config_name, revision, is_local=False)
    except DataError:
        raise
    except RevisionNotFoundError as error:
        raise DataError(
            f"{dataset}: {hub.endpoint()} has no revision {revision} of it; correct data.revision, and fetch that one "
            f"beforehand: {_command(dataset, config_name, 'COMMIT')}"
        ) from error
    except Exception as error:  # every transport and server error of the library's changing HTTP stack
        reason = f"{hub.endpoint()} answered with an error ({type(error).__name__}: {hub.first_line(error)})"
        raise _unavailable(dataset, config_name, revision, reason) from error
    if found is None:
        raise DataError(
            f"{dataset} has no {config_name}/train-*.parquet and {config_name}/validation-*.parquet (one file each, or "
            f"00000-of-00002 and so on, none missing) at revision {revision}; save its splits as parquet files and "
            "take data=json."
        )
    return found


def _hub_cache(dataset: str, config_name: str, revision: str, *, is_local: bool = True) -> dict[str, Shards] | None:
    """Return the parquet files of a snapshot, complete and undamaged; not local: download what is missing first."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot = snapshot_download(
            dataset,
            repo_type="dataset",
            revision=revision,
            local_files_only=is_local,
            allow_patterns=f"{config_name}/*.parquet",
            etag_timeout=hub.ANSWER_SECONDS,
        )
    except LocalEntryNotFoundError:
        if is_local:
            return None
        raise
    found = _whole_splits(Path(snapshot, config_name), "{split}-*.parquet")
    for shards in (found or {}).values():
        for path in shards.paths:
            _check_content(path)
    return found


def _datasets_cache(dataset: str, config_name: str, revision: str) -> dict[str, Shards] | None:
    """Return the Arrow files that `datasets.load_dataset` prepared from that commit."""
    from huggingface_hub import constants

    root = Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME, "datasets")).expanduser()
    folder = root / dataset.replace("/", "___") / config_name / "0.0.0" / revision
    name = dataset.rpartition("/")[2] + "-{split}"
    return _whole_splits(folder, f"{name}.arrow", f"{name}-*-of-*.arrow")


def _whole_splits(folder: Path, *patterns: str) -> dict[str, Shards] | None:
    """Return the files of each split if none is missing: there is one, or their names count them."""
    found: dict[str, Shards] = {}
    for key, split in HUB_SPLITS.items():
        if (shards := _whole_split(folder, [name.format(split=split) for name in patterns])) is None:
            return None
        found[key] = shards
    return found


def _whole_split(folder: Path, names: Sequence[str]) -> Shards | None:
    paths = in_order(path for name in names for path in folder.glob(name))
    if not is_complete([path.name for path in paths]):
        return None
    return one_file(paths[0]) if len(paths) == 1 else Shards(folder / names[-1], tuple(paths))


def _check_content(path: Path) -> None:
    """Hold a cached file against its name in the cache's blobs, which is the sha256 of large files."""
    name = path.resolve().name
    if _SHA256.fullmatch(name) and hashlib.sha256(path.read_bytes()).hexdigest() != name:
        raise DataError(
            f"{path} is damaged: its content is not that of the hub's file; delete {path.resolve()} and "
            f"{path}, and fetch it again."
        )


def _command(dataset: str, config_name: str, revision: str) -> str:
    load = f"load_dataset('{dataset}', '{config_name}', revision='{revision}')"
    return f'python -c "from datasets import load_dataset; {load}"'


def _unavailable(dataset: str, config_name: str, revision: str, reason: str) -> DataError:
    return DataError(
        f"{dataset} at revision {revision} is not in the cache and cannot be fetched: {reason}; fetch it "
        f"where there is a network, and bring the cache (HF_HOME) here: {_command(dataset, config_name, revision)}"
    )
