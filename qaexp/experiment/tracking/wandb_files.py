"""Reads the files of offline runs of Weights & Biases, whose package writes them in the format of LevelDB's log."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

# A file is cut into blocks; a piece of a record has a header of checksum, length and kind, and ends in its block.
_BLOCK, _HEADER, _FILE_HEADER = 32_768, struct.Struct("<IHB"), 7
_WHOLE, _FIRST, _LAST = 1, 2, 4


def record_bodies(path: Path) -> Iterator[bytes]:
    """Yield the serialized records of a file; what a process that was killed wrote last is left out.

    Args:
        path: A file `run-<id>.wandb`.

    Raises:
        OSError: It cannot be read.
    """
    data, place, body = path.read_bytes(), _FILE_HEADER, b""
    while place + _HEADER.size <= len(data):
        if (left := _BLOCK - place % _BLOCK) < _HEADER.size:
            place += left
            continue
        _, length, kind = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        piece = data[place : place + length]
        if not kind or len(piece) < length:
            return
        place += length
        body = piece if kind in (_WHOLE, _FIRST) else body + piece
        if kind in (_WHOLE, _LAST):
            yield body
