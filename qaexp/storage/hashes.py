"""Hashes of files that this process has read before: jobs of one sweep read their data and weights once together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# As git does it: a file that was changed just now may be changed again within one tick of its file system's clock, and
# would look the same. Two seconds are the coarsest clock of a file system (FAT).
_TICK_NS = 2 * 10**9

_Key = tuple[str, str, int, int, int, int, int]
_hashes: dict[_Key, str] = {}


def remembered_hash(path: Path, kind: str, compute: Callable[[], str]) -> str:
    """Return the hash of a file, computed once as long as the file is the same.

    A file is the same while its path, device, inode, size and both of its times are. Nobody can set the time of the
    last change of an inode back (`touch` and `cp -p` set the other one), so that edited files are read again.

    Args:
        path: The file.
        kind: What is computed, where there are several hashes of a file.
        compute: Reads the file; whatever it raises is raised, and nothing is remembered.
    """
    key = _key(path, kind)
    if key is not None and key in _hashes:
        return _hashes[key]
    began = time.time_ns()
    found = compute()
    if key is not None and key == _key(path, kind) and began - max(key[-2:]) > _TICK_NS:
        _hashes[key] = found
    return found


def _key(path: Path, kind: str) -> _Key | None:
    """All by which a change of a file shows; None where there is none, which `compute` will name."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    place = str(path.absolute())
    return kind, place, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
