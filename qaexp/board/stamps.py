"""Whether something on the disk is what it was: its stamp, which counts once it is older than clocks are coarse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

Stamp = tuple[int, ...]
Clock = Callable[[], int]

# File systems tell times in steps of up to two seconds: what changed twice within one may have one stamp for both.
_COARSE_NS = 2_000_000_000


def clock_from(now: datetime) -> Clock:
    """A clock that tells nanoseconds since 1970, and goes on from a time: a look at many folders takes seconds."""
    begin, begun = int(now.timestamp() * 1e9), time.monotonic_ns()
    return lambda: begin + time.monotonic_ns() - begun


def stamp_of(path: Path, clock: Clock, *, follows: bool = False) -> Stamp | None:
    """What the system says of a file or a folder; equal stamps mean that nothing changed.

    Args:
        path: It.
        clock: Tells the time, in nanoseconds since 1970.
        follows: Whether a link stands for what it leads to.

    Returns:
        Its stamp; None where it changed so lately, or is dated so near, that it may change without another stamp.

    Raises:
        OSError: It is not there, or the system refuses.
    """
    found = path.stat(follow_symlinks=follows)
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    now = clock()
    is_settled = all(abs(now - changed) > _COARSE_NS for changed in stamp[2:])
    return stamp if is_settled else None


def stamps_of(folder: Path, names: Iterable[str], clock: Clock) -> tuple[Stamp, ...] | None:
    """The stamps of files in a folder, an empty one for what is not there; None where one of them does not count."""
    found: list[Stamp] = []
    for name in names:
        try:
            stamp = stamp_of(folder / name, clock)
        except OSError:
            stamp = ()
        if stamp is None:
            return None
        found.append(stamp)
    return tuple(found)
