"""How much the cache may hold: what was used longest ago goes, and never what a running process reads."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from qaexp.errors import ConfigError, StorageError
from qaexp.storage.folders import remove

CACHE_MIB = "QAEXP_CACHE_MIB"
"""The variable that says how many MiB."""

_USUAL_MIB = 20_480.0
_MIB = 2**20
_KINDS = ("features", "examples")
_LOCK, _FILE = ".lock", ".safetensors"
_log = logging.getLogger("qaexp")


class _Kept(NamedTuple):
    """An entry: when it was used last, where it is, and how large."""

    used: float
    path: Path
    num_bytes: int


def mark_used(path: Path) -> None:
    """Note that an entry is used now, by the time of its lock; in a read-only folder it keeps its time."""
    with suppress(OSError):
        os.utime(path.with_suffix(_LOCK))


def hold_open(descriptor: int) -> None:
    """Mark the file of an entry as read by this process until it is closed, however the process ends."""
    with suppress(OSError):  # who deletes it meanwhile takes nothing away: an open file stays readable
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def keep_to_limit(cache: Path, newest: Path) -> None:
    """Delete what was used longest ago until the cache holds no more than it may.

    Args:
        cache: Its folder.
        newest: The entry that was made just now, which stays.

    Raises:
        ConfigError: The variable is no number of MiB.
    """
    limit, entries = _limit() * _MIB, sorted(_entries(cache))
    total, num_removed = sum(entry.num_bytes for entry in entries), 0
    for entry in entries:
        if total <= limit:
            break
        with _alone(entry.path) as is_alone:
            if entry.path == newest or not is_alone:
                continue
            try:
                remove(entry.path)
            except StorageError as error:
                _log.warning("cache: %s; %s cannot be kept to", error, CACHE_MIB)
                break
        total, num_removed = total - entry.num_bytes, num_removed + 1
    if num_removed:
        _log.info("cache: %d entries removed that were used longest ago (%s=%g)", num_removed, CACHE_MIB, limit / _MIB)


def _limit() -> float:
    given = os.environ.get(CACHE_MIB, "")
    try:
        limit = float(given or _USUAL_MIB)
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise ConfigError(f"{CACHE_MIB}={given}: must be a number of MiB from 0 on; set it to one, or unset it")
    return limit


def _entries(cache: Path) -> Iterator[_Kept]:
    """All entries of the cache; what disappears meanwhile is left out."""
    for lock in (lock for kind in _KINDS for lock in cache.joinpath(kind).glob(f"*{_LOCK}")):
        for path in (lock.with_suffix(_FILE), lock.with_suffix("")):
            with suppress(OSError):
                files = [path] if path.is_file() else [*path.iterdir()] if path.is_dir() else []
                if files:
                    yield _Kept(lock.stat().st_mtime, path, sum(file.stat().st_size for file in files))


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Hold an entry for the body; yields whether nobody builds or reads it."""
    files = [path.with_suffix(_LOCK), *(path.iterdir() if path.is_dir() else [])]
    descriptors: list[int] = []
    try:
        for file in files:
            descriptors.append(os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC))
            fcntl.flock(descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_alone = True
    except OSError:
        is_alone = False
    try:
        yield is_alone
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
