"""Whether a disk has room for what is sure to be written, so that nobody waits for a failure that is certain."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from qaexp.errors import StorageError

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def check_room(folder: Path, needed: Mapping[str, int], way_out: str) -> None:
    """Refuse to begin where the disk has no room.

    Args:
        folder: An existing folder on the disk.
        needed: The least bytes that will be there at once, by what they are.
        way_out: What else than free space helps.

    Raises:
        StorageError: There is less room; what is needed, what is free and the folder are named.
    """
    total, free = sum(needed.values()), free_bytes(folder)
    if total > free:
        parts = ", ".join(f"{what} {shown_bytes(size)}" for what, size in needed.items() if size)
        raise StorageError(
            f"{folder}: needs at least {shown_bytes(total)} of its disk ({parts}), and {shown_bytes(free)} are free; "
            f"free space, {way_out}, then run the same command again"
        )


def free_bytes(folder: Path) -> int:
    """The bytes that this user may still write to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)


def shown_bytes(size: int) -> str:
    """A size for people.

    >>> shown_bytes(999), shown_bytes(1_049_600), shown_bytes(5 * 2**40)
    ('999 bytes', '1.0 MiB', '5.0 TiB')
    """
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit else f"{size} {_UNITS[0]}"
