"""The one place that writes: whole files and folders appear at once, appended lines are flushed.

A whole file is a temp file, fsync, rename, fsync of the folder; so a reader, and a machine that loses power, finds the
old bytes or the new ones. Every call that changes the disk stands behind a named point, where a test can stop the run
or let the call fail; and none is cut short by a signal.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qaexp.errors import StorageError
from qaexp.runs.direct import BLOCK_BYTES, write_blocks
from qaexp.runs.formats import csv_text, json_line, json_text
from qaexp.runs.signals import deferred

TEMP_PREFIX = ".tmp-"
_MAX_UNHASHED = 8
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


def write_bytes(path: Path, data: bytes) -> None:
    """Commit `data` as the whole content of `path`, whose folder exists.

    Raises:
        StorageError: When the system refuses; what stood at `path` before is still there.
    """
    temp = _temp_beside(path)
    with deferred(), storage_errors(path, len(data)):
        try:
            _write_new(temp, path, [data])
            _point("rename", path)
            temp.replace(path)
            _point("renamed", path)
            _sync(path.parent)
        except OSError:
            with suppress(OSError):
                temp.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Commit `text` in UTF-8; a lone surrogate becomes its escape, which JSON reads back as it was."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, obj: Any) -> None:
    """Commit `obj` as JSON; see `json_text`."""
    write_text(path, json_text(obj))


def write_json_lines(path: Path, records: Iterable[Any]) -> None:
    """Commit one JSON line per record."""
    write_text(path, "".join(json_line(record) for record in records))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Commit a CSV table; see `csv_text`."""
    write_text(path, csv_text(rows))


def write_chunks(path: Path, chunks: Iterable[bytes | memoryview], num_bytes: int) -> str:
    """Write a new file into a folder that `new_directory` gave, chunk by chunk.

    Args:
        path: Nothing stands there.
        chunks: The content.
        num_bytes: Its size, for the message when there is no room.

    Returns:
        The sha256 of what was written, in hex.

    Raises:
        StorageError: When the system refuses.
    """
    digest = hashlib.sha256()

    # Neither hashing nor writing needs the interpreter: side by side they take half as long.
    with storage_errors(path, num_bytes), ThreadPoolExecutor(1) as hasher:

        def hashed() -> Iterator[bytes | memoryview]:
            pending: deque[Future[None]] = deque()
            for chunk in chunks:
                pending.append(hasher.submit(digest.update, chunk))
                yield chunk
                if len(pending) > _MAX_UNHASHED:
                    pending.popleft().result()

        _write_new(path, path, hashed(), is_large=num_bytes > BLOCK_BYTES)
    return digest.hexdigest()


def make_directory(path: Path) -> None:
    """Create a folder and its missing parents; an existing one is fine."""
    with deferred(), storage_errors(path):
        if not path.is_dir():
            _point("mkdir", path)
            path.mkdir(parents=True, exist_ok=True)
            _sync(path.parent)


@contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` when the body ends, and disappears when the body raises."""
    temp = _temp_beside(final)
    make_directory(temp)
    try:
        with storage_errors(final):
            yield temp
        commit_directory(temp, final)
    except BaseException:
        shutil.rmtree(temp, ignore_errors=True)
        raise


def commit_directory(temp: Path, final: Path) -> None:
    """Make the folder `temp`, and all that is in it, stand as `final` in place of what stood there.

    A folder cannot be renamed over a full one: the old one is moved aside first and removed last.
    """
    with deferred(), storage_errors(final):
        for folder, _, names in os.walk(temp):
            for name in names:
                _sync(Path(folder, name))
            _sync(Path(folder))
        old = _temp_beside(final)
        if final.exists():
            _point("rename_old", final)
            final.replace(old)
        _point("rename", final)
        temp.replace(final)
        _point("renamed", final)
        _sync(final.parent)
        remove(old)


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder; nothing there is fine."""
    with deferred(), storage_errors(path):
        _point("remove", path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_temps(directory: Path) -> None:
    """Delete what a killed process left half-written in `directory`."""
    for path in directory.glob(f"{TEMP_PREFIX}*"):
        remove(path)


def truncate(path: Path, size: int) -> None:
    """Cut a file off after its first `size` bytes.

    Raises:
        StorageError: When the system refuses.
    """
    with deferred(), storage_errors(path):
        _point("truncate", path)
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def append_descriptor(path: Path) -> int:
    """Open a file that only grows for a process's own output; returns the descriptor. A link is refused.

    Raises:
        StorageError: When the system refuses.
    """
    with storage_errors(path):
        _point("open", path)
        return os.open(path, _APPEND, 0o666)


class Appender:
    """A file that only grows, one flushed line at a time; it opens on a fresh line after a torn one."""

    def __init__(self, path: Path) -> None:
        """Open `path`, which is made when it is missing; a link is refused.

        Raises:
            StorageError: When the system refuses.
        """
        self.path = path
        with storage_errors(path):
            _point("open", path)
            self._file = os.fdopen(os.open(path, _APPEND, 0o666), "r+b", buffering=0)
            if self._is_torn():
                self._file.write(b"\n")

    def append(self, text: str) -> None:
        """Add `text`, which ends with a line end.

        Raises:
            StorageError: When not all of it could be written; the torn line is dropped by readers.
        """
        data = text.encode("utf-8", "backslashreplace")
        with deferred(), storage_errors(self.path, len(data)):
            _point("append", self.path)
            while data:
                data = data[self._file.write(data) :]
            _point("appended", self.path)

    def sync(self) -> int:
        """Wait until what was appended is on the disk.

        Returns:
            The size of the file, in bytes.

        Raises:
            StorageError: When the system refuses.
        """
        with storage_errors(self.path):
            _point("fsync", self.path)
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file; a closed one may be closed again."""
        self._file.close()

    def _is_torn(self) -> bool:
        size = os.fstat(self._file.fileno()).st_size
        return size > 0 and os.pread(self._file.fileno(), 1, size - 1) != b"\n"


@contextmanager
def storage_errors(path: Path, num_bytes: int | None = None) -> Iterator[None]:
    """Turn the system's refusal into a StorageError that names the path and the bytes needed."""
    try:
        yield
    except OSError as error:
        needed = "" if num_bytes is None else f" ({num_bytes} bytes needed)"
        raise StorageError(
            f"{path}: cannot be written{needed}: {error.strerror or error}; free space or choose a folder that may be "
            "written, then run the same command again"
        ) from error


def _write_new(new: Path, path: Path, chunks: Iterable[bytes | memoryview], *, is_large: bool = False) -> None:
    _point("open", path)
    # The kernel takes the umask off 0666; mkstemp would leave 0600, which other people's readers cannot open.
    with os.fdopen(os.open(new, _CREATE, 0o666), "wb", buffering=0) as file:
        _point("write", path)
        if is_large:
            write_blocks(file.fileno(), chunks)
        else:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
        _point("fsync", path)
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    _point("fsync", path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temp_beside(path: Path) -> Path:
    return path.parent / f"{TEMP_PREFIX}{path.name}-{secrets.token_hex(4)}"


def _point(name: str, path: Path) -> None:
    """A call that changes the disk follows.

    Die as a killed process does when `QAEXP_CRASH_AT` is `name:file name`: so tests stop a run between two calls.
    """
    if os.environ.get("QAEXP_CRASH_AT") == f"{name}:{path.name}":
        os.kill(os.getpid(), signal.SIGKILL)
