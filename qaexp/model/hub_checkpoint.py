"""A checkpoint from the hub: cached, or fetched if the hub answers, or else refused within seconds."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from qaexp.errors import DataError
from qaexp.errors.advice import another_model, named, the_model
from qaexp.model.folder import TOKENIZER_FILES, VOCABULARY_FILES, WEIGHTS, WEIGHTS_INDEX, weight_files
from qaexp.storage import hub

LOG = logging.getLogger(__name__)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def fetch(repository: str, revision: str | None, *, with_weights: bool) -> Path:
    """Bring a hub checkpoint's files onto this machine.

    Args:
        repository: Hub id, `owner/name`.
        revision: Commit, tag or branch; None for main. A commit that is cached needs no network.
        with_weights: False to fetch the config and the tokenizer only.

    Returns:
        The folder of the snapshot in the hub's cache; its name is the commit.

    Raises:
        DataError: Nothing usable is cached, and the hub is unreachable, switched off (HF_HUB_OFFLINE), or refuses.
    """
    cached = _cached(repository, revision, with_weights=with_weights)
    if cached is not None and revision is not None and _COMMIT.fullmatch(revision):
        return cached
    refusal = _refusal(repository, revision)
    if refusal is None:
        return _download(repository, revision, with_weights=with_weights)
    reason, way_out = refusal
    if cached is None:
        raise DataError(f"{the_model(repository)} is not cached, and {reason}; {way_out}")
    LOG.warning("%s: the cached commit %s is used, because %s", repository, cached.name, reason)
    return cached


def _command(repository: str, revision: str | None) -> str:
    return f"hf download {repository}" + (f" --revision {revision}" if revision else "")


def _patterns(with_weights: bool) -> list[str]:
    weights = [WEIGHTS, WEIGHTS_INDEX, "model-*.safetensors"] if with_weights else []
    return ["config.json", *TOKENIZER_FILES, *weights]


def _cached(repository: str, revision: str | None, *, with_weights: bool) -> Path | None:
    """The snapshot in the cache, or None when it is not there or lacks a file (a download that was cut off)."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision, local_files_only=True, allow_patterns=_patterns(with_weights)
            )
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    return folder if _is_complete(folder, with_weights=with_weights) else None


def _is_complete(folder: Path, *, with_weights: bool) -> bool:
    """Whether a snapshot has all its files, as far as they show it: config.json comes last, see `_download`."""
    has_vocabulary = any((folder / name).is_file() for name in VOCABULARY_FILES)
    return (folder / "config.json").is_file() and has_vocabulary and (not with_weights or bool(weight_files(folder)))


def _refusal(repository: str, revision: str | None) -> tuple[str, str] | None:
    """Why the hub cannot give the checkpoint now, and the way out; None when it knows repository and revision."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    fetch_before = f"run `{_command(repository, revision)}` where there is a network, or {another_model('model')}"
    if (reason := hub.why_not_there()) is not None:
        return reason, fetch_before
    endpoint = hub.endpoint()
    try:
        HfApi(endpoint=endpoint).model_info(repository, revision=revision, timeout=hub.ANSWER_SECONDS)
    except RevisionNotFoundError:
        main = f"`{_command(repository, None)}` fetches the main branch beforehand"
        return f"{endpoint} has no revision {revision} of it", f"choose another {named('model.revision')} ({main})"
    except RepositoryNotFoundError:
        way_out = "check the spelling, or set HF_TOKEN if it is not public"
        return (
            f"{endpoint} shows no such model",
            f"{way_out} (`{_command(repository, revision)}` fetches it beforehand)",
        )
    except Exception as error:  # every transport and server error of the library's changing HTTP stack
        return f"{endpoint} answered with an error ({hub.first_line(error)})", fetch_before
    return None


def _download(repository: str, revision: str | None, *, with_weights: bool) -> Path:
    from huggingface_hub import snapshot_download

    LOG.info("fetching %s (%s) from the hub", repository, revision or "main")
    # The library leaves no half of a file under a final name, but a snapshot without some of its files, which versions
    # that remember no listing take for whole: so what every checkpoint has comes last, and says that all are there.
    first, *others = _patterns(with_weights)
    try:
        commit = Path(snapshot_download(repository, revision=revision, allow_patterns=others)).name
        return Path(snapshot_download(repository, revision=commit, allow_patterns=first))
    except Exception as error:  # as above
        raise DataError(
            f"{the_model(repository)} could not be fetched ({hub.first_line(error)}); try again, or run "
            f"`{_command(repository, revision)}` beforehand"
        ) from error
