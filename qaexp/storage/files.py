"""The one place that writes files: they appear as a whole at once, or not at all.

A whole file is a temp file, fsync, rename, fsync of the folder; so a reader, and a machine that loses power, finds the
old bytes or the new ones. Every call goes through the handle of the folder that the file is in (`roots`), comes
behind a named point, and is not cut short by a signal.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError, StorageError
from qaexp.storage import points
from qaexp.storage.direct import BLOCK_BYTES, write_blocks
from qaexp.storage.formats import csv_lines, json_blocks, json_line, json_object, json_text
from qaexp.storage.reading import read_bytes
from qaexp.storage.roots import check_root, opened_parent, sync
from qaexp.storage.signals import deferred

TEMP_PREFIX = ".tmp-"
_MAX_UNHASHED = 8
_Chunk = bytes | memoryview
_CHUNK_CHARACTERS = 2**20
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def write_bytes(path: Path, data: bytes) -> None:
    """Commit `data` as the whole content of `path`, whose folder exists.

    Raises:
        StorageError: When the system refuses; what was at `path` before is still there.
        IntegrityError: A folder between a run directory and the file is a link.
        BusyError: The directory is another process's now.
    """
    with deferred(), storage_errors(path, len(data)), opened_parent(path) as (folder, name):
        temp = temp_name(name)
        try:
            _write_new(folder, temp, path, [data])
            commit_temp(folder, temp, name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp, dir_fd=folder)
            raise


def write_changed(path: Path, data: bytes) -> None:
    """Commit `data`, unless the file says the same already: what is complete stays as it is, its time too."""
    try:
        is_same = read_bytes(path, len(data)) == data
    except (FileNotFoundError, IntegrityError):
        is_same = False
    if not is_same:
        write_bytes(path, data)


def write_text(path: Path, text: str) -> None:
    """Commit `text` in UTF-8; a lone surrogate becomes its escape, which JSON reads back as it was."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, obj: Any) -> None:
    """Commit `obj` as JSON; see `json_text`."""
    write_text(path, json_text(obj))


def write_json_blocks(path: Path, obj: Mapping[str, Any]) -> None:
    """Commit an object as `write_json` does, with long sequences in it taken some values at a time."""
    write_stream(path, _encoded(json_blocks(obj)))


def write_json_lines(path: Path, records: Iterable[Any]) -> None:
    """Commit one JSON line per record; each record is asked for when its line is written."""
    write_stream(path, _encoded(map(json_line, records)))


def write_json_items(path: Path, items: Iterable[tuple[str, Any]]) -> None:
    """Commit a JSON object as `write_json` does; each item, with its own key, is asked for when it is written."""
    write_stream(path, _encoded(json_object(items)))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Commit a CSV table, each row as it comes; see `csv_text`."""
    write_stream(path, _encoded(csv_lines(rows)))


def write_stream(path: Path, chunks: Iterable[bytes | memoryview], num_bytes: int | None = None) -> None:
    """Commit what comes chunk by chunk as the whole content of `path`, whose folder exists; raises as `write_bytes`.

    Making the chunks may take long: a signal stops it between two of them, and nothing is left.

    Args:
        path: The file.
        chunks: Its content.
        num_bytes: Its size, if it is known, for the message when there is no room.
    """
    rest = iter(chunks)
    first, second = next(rest, b""), next(rest, None)
    if second is None:
        write_bytes(path, bytes(first))
        return
    with storage_errors(path, num_bytes), opened_parent(path) as (folder, name):
        temp = temp_name(name)
        try:
            _write_new(folder, temp, path, chain((first, second), rest))
            with deferred():
                commit_temp(folder, temp, name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp, dir_fd=folder)
            raise


def _encoded(texts: Iterable[str]) -> Iterator[bytes]:
    """Texts as chunks of UTF-8 of about a mebibyte; see `write_text`."""
    gathered: list[str] = []
    size = 0
    for text in texts:
        gathered.append(text)
        size += len(text)
        if size >= _CHUNK_CHARACTERS:
            yield "".join(gathered).encode("utf-8", "backslashreplace")
            gathered, size = [], 0
    yield "".join(gathered).encode("utf-8", "backslashreplace")


def write_chunks(path: Path, chunks: Iterable[bytes | memoryview], num_bytes: int) -> str:
    """Write a new file into a folder that `new_directory` gave, chunk by chunk.

    Args:
        path: There is nothing yet.
        chunks: The content.
        num_bytes: Its size, for the message when there is no room.

    Returns:
        The sha256 of what was written, in hex.

    Raises:
        StorageError: When the system refuses.
    """
    digest, is_large = hashlib.sha256(), num_bytes > BLOCK_BYTES
    hashed = _hashed_beside if is_large else _hashed
    with storage_errors(path, num_bytes), opened_parent(path) as (folder, name):
        _write_new(folder, name, path, hashed(chunks, digest.update), is_large=is_large)
    return digest.hexdigest()


def _hashed(chunks: Iterable[_Chunk], update: Callable[[_Chunk], None]) -> Iterator[_Chunk]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _hashed_beside(chunks: Iterable[_Chunk], update: Callable[[_Chunk], None]) -> Iterator[_Chunk]:
    """Neither hashing nor writing needs the interpreter: side by side they take half as long.

    Where there is little to hash, handing it over takes longer; on a busy machine, very much longer.
    """
    with ThreadPoolExecutor(1) as hasher:
        pending: deque[Future[None]] = deque()
        for chunk in chunks:
            pending.append(hasher.submit(update, chunk))
            yield chunk
            if len(pending) > _MAX_UNHASHED:
                pending.popleft().result()


@contextmanager
def storage_errors(path: Path, num_bytes: int | None = None) -> Iterator[None]:
    """Turn the system's refusal into a StorageError that names the path and the bytes needed.

    Raises:
        BusyError: Instead, where the path lies in a directory that another process has taken over meanwhile.
        StorageError: The system refuses, or the directory was moved or deleted.
    """
    try:
        yield
    except OSError as error:
        check_root(path)
        needed = "" if num_bytes is None else f" ({num_bytes} bytes needed)"
        raise StorageError(
            f"{path}: cannot be written{needed}: {error.strerror or error}; free space or choose a folder that may be "
            "written, then run the same command again"
        ) from error


def _write_new(
    folder: int, name: str, path: Path, chunks: Iterable[bytes | memoryview], *, is_large: bool = False
) -> None:
    points.reached("open", path)
    # The kernel takes the umask off 0666; mkstemp would leave 0600, which other people's readers cannot open.
    with os.fdopen(os.open(name, _CREATE, 0o666, dir_fd=folder), "wb", buffering=0) as file:
        points.reached("write", path)
        if is_large:
            write_blocks(file.fileno(), chunks)
        else:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
        sync(file.fileno(), path)


def commit_temp(folder: int, temp: str, name: str, path: Path) -> None:
    """Commit a temp name.

    Who takes a directory over says so first and deletes the temp names then; so whoever has lost it finds that out in
    the check, or finds no temp name any more, at whatever moment it was stopped.
    """
    points.reached("rename", path)
    check_root(path)
    os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    points.reached("renamed", path)
    sync(folder, path)


def temp_name(name: str) -> str:
    """Return a name beside a name, which nobody else has; what a killed process leaves is known by its beginning."""
    return f"{TEMP_PREFIX}{name}-{secrets.token_hex(4)}"
