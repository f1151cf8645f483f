"""The folder of the cache: where it is, the lock of each entry in it, and its warnings, each said once."""

from __future__ import annotations

import fcntl
import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qaexp.errors import StorageError
from qaexp.storage.folders import make_directory

_log = logging.getLogger("qaexp")


def default_cache_dir() -> Path:
    """Return `$QAEXP_CACHE_DIR`, or `~/.cache/qaexp` without it."""
    named = os.environ.get("QAEXP_CACHE_DIR")
    return Path(named) if named else Path("~/.cache/qaexp").expanduser()


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of one entry of the cache for the body; yields False, with a warning, where the folder allows none.

    Args:
        path: The entry, `<folder of its kind>/<key>`, with or without a suffix.
    """
    descriptor = _open_lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_lock(path: Path) -> int | None:
    """Return the descriptor of the lock file, locked; the kernel frees the lock of a process that dies."""
    descriptor = None
    try:
        make_directory(path.parent)
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except (OSError, StorageError) as error:
        if descriptor is not None:
            os.close(descriptor)
        warn_unwritable(path.parent, error)
        return None
    return descriptor


def warn_unwritable(folder: Path, error: Exception) -> None:
    """Warn that what was made is not kept, since a folder of the cache (`features`, `examples`) cannot be written."""
    cause = error.__cause__ if isinstance(error, StorageError) else error
    warn_once(
        f"{folder.name}: {folder} cannot be written ({getattr(cause, 'strerror', None) or error}), so they are not "
        "kept; set QAEXP_CACHE_DIR to a folder that may be written"
    )


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning unless this process did so before."""
    _log.warning(message)
