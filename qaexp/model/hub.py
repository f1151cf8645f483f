"""A checkpoint from the hub: cached, or fetched if the hub answers, or else refused within seconds."""

from __future__ import annotations

import logging
import os
import re
import socket
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from qaexp.errors import DataError
from qaexp.model.folder import TOKENIZER_FILES, WEIGHTS, WEIGHTS_INDEX, weight_files

LOG = logging.getLogger(__name__)
_COMMIT = re.compile(r"[0-9a-f]{40}")
# The libraries retry for 20 to 46 seconds before they say that there is no network: we ask the socket first.
PROBE_SECONDS = 3.0
ANSWER_SECONDS = 5.0


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
        raise DataError(f"model.checkpoint={repository} is not cached, and {reason}; {way_out}")
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
    complete = (folder / "config.json").is_file() and (not with_weights or bool(weight_files(folder)))
    return folder if complete else None


def _refusal(repository: str, revision: str | None) -> tuple[str, str] | None:
    """Why the hub cannot give the checkpoint now, and the way out; None when it knows repository and revision."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    fetch_before = f"run `{_command(repository, revision)}` where there is a network, or choose model=minilm"
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return "the hub is switched off by HF_HUB_OFFLINE", fetch_before
    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT)
    if (reason := unreachable(endpoint)) is not None:
        return reason, fetch_before
    try:
        HfApi(endpoint=endpoint).model_info(repository, revision=revision, timeout=ANSWER_SECONDS)
    except RevisionNotFoundError:
        return f"{endpoint} has no revision {revision} of it", "choose another model.revision"
    except RepositoryNotFoundError:
        return f"{endpoint} shows no such model", "check the spelling, or set HF_TOKEN if it is not public"
    except Exception as error:  # every transport and server error of the library's changing HTTP stack
        return f"{endpoint} answered with an error ({_first_line(error)})", fetch_before
    return None


def _download(repository: str, revision: str | None, *, with_weights: bool) -> Path:
    from huggingface_hub import snapshot_download

    LOG.info("fetching %s (%s) from the hub", repository, revision or "main")
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_patterns(with_weights)))
    except Exception as error:  # as above: nothing half-downloaded is left under a final name by the library
        raise DataError(
            f"model.checkpoint={repository} could not be fetched ({_first_line(error)}); try again, or run "
            f"`{_command(repository, revision)}` beforehand"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def unreachable(endpoint: str) -> str | None:
    """Try to open a connection to an endpoint, or to the proxy that stands before it.

    Args:
        endpoint: A URL, for example https://huggingface.co.

    Returns:
        Why no connection was opened within PROBE_SECONDS, or None when one was.
    """
    target = urlsplit(endpoint)
    proxy = getproxies().get(target.scheme)
    if proxy and not proxy_bypass(target.hostname or ""):
        target = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = target.port or (443 if target.scheme == "https" else 80)
    outcome: list[Any] = []

    def connect() -> None:
        try:
            socket.create_connection((target.hostname, port), timeout=PROBE_SECONDS).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(error)

    # Looking a name up has no time limit of its own: a thread that may be left behind gives it one.
    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if outcome and outcome[0] is None:
        return None
    return f"{target.hostname} cannot be reached ({outcome[0] if outcome else f'no answer in {PROBE_SECONDS:g} s'})"
