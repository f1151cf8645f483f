"""Entries of the cache: one file each that is read by position, checked as a whole before any of it is used.

The file is never mapped into memory: pages of a mapped file count as this process's memory as long as they are in the
page cache, and a map of a file that somebody cuts ends the process by a signal. Reading a kilobyte takes 2 µs.
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qaexp.data.cache_folder import locked, warn_once
from qaexp.data.cache_limit import hold_open, keep_to_limit, mark_used
from qaexp.errors import IntegrityError, StorageError
from qaexp.storage.files import TEMP_PREFIX, storage_errors, write_chunks, write_json
from qaexp.storage.folders import make_directory, new_directory, remove
from qaexp.storage.reading import read_json
from qaexp.storage.room import check_room

DATA, INDEX = "data", "index.json"
_AT_ONCE = 4 * 2**20
# Texts that are not further apart are read together, with what lies between them.
_GAP = 4096
_WAY_OUT = "set QAEXP_CACHE_DIR to a folder on a larger disk"


class Size(NamedTuple):
    """How many bytes an entry will have, in about and at least."""

    about: int
    least: int


class Entry:
    """An open entry; the file stays readable when it is deleted meanwhile.

    Attributes:
        index: What its builder said of it, as JSON.
        num_bytes: Its size.
    """

    def __init__(self, path: Path, descriptor: int, index: Mapping[str, Any]) -> None:
        """Take an open file and what is known of it."""
        self._path, self._descriptor = path, descriptor
        hold_open(descriptor)
        self.index, self.num_bytes = index["about"], int(index["num_bytes"])
        self._arrays: Mapping[str, tuple[int, str, int]] = index["arrays"]
        weakref.finalize(self, os.close, descriptor)

    def read(self, place: int, num_bytes: int) -> bytes:
        """Read some bytes.

        Raises:
            StorageError: The system refuses, or the file has become shorter.
        """
        with storage_errors(self._path):
            data = os.pread(self._descriptor, num_bytes, place)
        while len(data) < num_bytes:
            with storage_errors(self._path):
                more = os.pread(self._descriptor, num_bytes - len(data), place + len(data))
            if not more:
                raise StorageError(f"{self._path} was cut while it was read; delete it, and run the same command again")
            data += more
        return data

    def array(self, name: str) -> NDArray[Any]:
        """Read one of the arrays that the builder put behind the data."""
        place, kind, length = self._arrays[name]
        dtype = np.dtype(kind)
        return np.frombuffer(self.read(place, length * dtype.itemsize), dtype)

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole file, some megabytes at a time."""
        for place in range(0, self.num_bytes, _AT_ONCE):
            yield self.read(place, min(_AT_ONCE, self.num_bytes - place))

    def texts(self, places: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[bytes]:
        """Read many stretches, those that are near each other at once, in the order given."""
        if not len(places):
            return []
        order = np.argsort(places, kind="stable")
        begin, end = places[order], (places + sizes)[order]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = begin[1:] > end[:-1] + _GAP
        heads = np.flatnonzero(is_first)
        found: list[bytes] = [b""] * len(order)
        for head, tail in zip(heads.tolist(), [*heads[1:].tolist(), len(order)], strict=True):
            base = int(begin[head])
            data = self.read(base, int(end[head:tail].max()) - base)
            stretches = zip(order[head:tail].tolist(), begin[head:tail].tolist(), end[head:tail].tolist(), strict=True)
            for number, first, last in stretches:
                found[number] = data[first - base : last - base]
        return found


class Contents:
    """What a builder has to say at the end, beside the bytes that it yields: arrays behind the data, and the index."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.arrays: dict[str, NDArray[Any]] = {}
        self.about: dict[str, Any] = {}


Builder = Callable[[Contents], Iterator[bytes]]


def find_entry(path: Path, key: str) -> Entry | None:
    """Return an entry that is there and whole; of a damaged one it is said that it is built again."""
    if not path.is_dir():
        return None
    descriptor = None
    try:
        index = read_json(path / INDEX)
        descriptor = os.open(path / DATA, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if index["key"] == key and os.fstat(descriptor).st_size == index["num_bytes"]:
            entry, descriptor = Entry(path / DATA, descriptor, index), None
            if index["digest"] == _digest(index, _sha256(entry.blocks())):
                mark_used(path)
                return entry
    except (OSError, IntegrityError, StorageError, KeyError, TypeError, ValueError):
        pass
    finally:
        if descriptor is not None:
            os.close(descriptor)
    warn_once(f"{path.parent.name}: {path} is damaged and is built again")
    return None


def kept_entry(path: Path, key: str, build: Builder, size: Size) -> tuple[Entry, bool]:
    """Return an entry, and whether it was there; processes that want the same one at once build it once.

    Args:
        path: Its folder.
        key: What decides its content.
        build: Yields the content, and fills in the rest.
        size: How large it will be.

    Raises:
        StorageError: The disk has not so much room, or the system refuses. Where the folder can have no files at all,
            the entry lies in the system's folder for temporary files until this process ends.
    """
    if (entry := find_entry(path, key)) is not None:
        return entry, True
    with locked(path) as is_locked:
        if not is_locked:
            return _temporary(path, key, build, size), False
        # Another process may have built it while this one waited.
        if (entry := find_entry(path, key)) is not None:
            return entry, True
        for temp in path.parent.glob(f"{TEMP_PREFIX}{path.name}-*"):
            remove(temp)
        entry = _built(path, key, build, size)
        keep_to_limit(path.parent.parent, path)
        return entry, False


def _temporary(path: Path, key: str, build: Builder, size: Size) -> Entry:
    with TemporaryDirectory(prefix="qaexp-", ignore_cleanup_errors=True) as folder:
        return _built(Path(folder, path.name), key, build, size)


def _built(path: Path, key: str, build: Builder, expected: Size) -> Entry:
    with storage_errors(path.parent, expected.about):
        make_directory(path.parent)
        check_room(path.parent, {path.parent.name: expected.least}, _WAY_OUT)
    contents, arrays = Contents(), dict[str, tuple[int, str, int]]()
    size = 0

    def chunks() -> Iterator[bytes]:
        nonlocal size
        for chunk in build(contents):
            size += len(chunk)
            yield chunk
        for name, array in contents.arrays.items():
            arrays[name] = (size, array.dtype.str, len(array))
            size += array.nbytes
            yield array.tobytes()

    with new_directory(path) as folder:
        try:
            sha256 = write_chunks(folder / DATA, chunks(), expected.about)
        except StorageError as error:
            raise StorageError(f"{error}; or {_WAY_OUT}") from error
        index = {"key": key, "num_bytes": size, "arrays": arrays, "about": contents.about}
        write_json(folder / INDEX, {**index, "digest": _digest(index, sha256)})
    descriptor = os.open(path / DATA, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return Entry(path / DATA, descriptor, index)


def _sha256(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _digest(index: Mapping[str, Any], sha256: str) -> str:
    """What an entry is held against: its data, and the index without this digest."""
    told = [sha256, *(index[name] for name in ("key", "num_bytes", "arrays", "about"))]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
