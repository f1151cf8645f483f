"""A run folder as bytes, piece by piece, to a machine that does not see it, and back."""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Generic, TypeVar, cast

from qaexp.errors import IntegrityError
from qaexp.runs.directory import LOCK
from qaexp.storage.files import TEMP_PREFIX, write_chunks
from qaexp.storage.folders import make_directory, new_directory

PIECE_BYTES = 8 * 2**20

Piece = TypeVar("Piece")


def pack(folder: Path, put: Callable[[bytes], Piece]) -> list[Piece]:
    """Hand over a folder of which nothing changes meanwhile.

    Args:
        folder: Its files and folders go along; links, its lock and what was left half-written do not.
        put: Takes the next bytes, about `PIECE_BYTES` of them.

    Returns:
        What `put` returned for each.
    """
    outlet = _Outlet(put)
    with tarfile.TarFile(fileobj=cast(IO[bytes], outlet), mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.name == LOCK or any(part.startswith(TEMP_PREFIX) for part in PurePosixPath(info.name).parts):
                continue
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif stat.S_ISREG(found.st_mode):
                info.size = found.st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
    outlet.hand_over()
    return outlet.handed


def unpack(pieces: Iterable[bytes], final: Path) -> None:
    """Make a folder of what `pack` handed over, in place of what was there; it appears as a whole or not at all.

    Args:
        pieces: The bytes, in their order.
        final: The folder.

    Raises:
        IntegrityError: They are no such folder.
        StorageError: The system refuses.
    """
    with new_directory(final) as temp:
        try:
            with tarfile.open(fileobj=cast(IO[bytes], _Inlet(iter(pieces))), mode="r|") as tar:
                for member in tar:
                    _unpack(tar, member, temp)
        except tarfile.TarError as error:
            raise IntegrityError(f"{final}: what came from another machine is no run folder ({error})") from error


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not name.parts or not (member.isreg() or member.isdir()):
        raise IntegrityError(f"{folder}: what came from another machine holds {member.name!r}, which no run has")
    path = folder.joinpath(*name.parts)
    if member.isdir():
        make_directory(path)
        return
    content = tar.extractfile(member)
    assert content is not None, "a regular file has content"
    make_directory(path.parent)
    write_chunks(path, _pieces_of(content), member.size)


def _pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


class _Outlet(Generic[Piece]):
    """What is written into it goes on, piece by piece."""

    def __init__(self, put: Callable[[bytes], Piece]) -> None:
        self._put, self._bytes, self._place = put, bytearray(), 0
        self.handed: list[Piece] = []

    def tell(self) -> int:
        """So many bytes were written."""
        return self._place

    def write(self, data: bytes) -> int:
        """Take the next bytes."""
        self._bytes += data
        self._place += len(data)
        if len(self._bytes) >= PIECE_BYTES:
            self.hand_over()
        return len(data)

    def hand_over(self) -> None:
        """Hand over what is left."""
        if self._bytes:
            self.handed.append(self._put(bytes(self._bytes)))
            self._bytes.clear()


class _Inlet:
    """Pieces that are read as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece, self._place = pieces, b"", 0

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        while self._place == len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece, self._place = piece, 0
        found = self._piece[self._place : self._place + size]
        self._place += len(found)
        return found
