"""The one place that writes: whole files and folders appear at once, or not at all.

A whole file is a temp file, fsync, rename, fsync of the folder; so a reader, and a machine that loses power, finds the
old bytes or the new ones. Every call goes through the handle of the folder that the file stands in (`roots`), stands
behind a named point, and is not cut short by a signal.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError, StorageError
from qaexp.runs import points
from qaexp.runs.direct import BLOCK_BYTES, write_blocks
from qaexp.runs.formats import csv_text, json_line, json_text
from qaexp.runs.roots import check_root, is_folder, make_folder, opened, opened_parent, sync
from qaexp.runs.signals import deferred

TEMP_PREFIX = ".tmp-"
_MAX_UNHASHED = 8
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def write_bytes(path: Path, data: bytes) -> None:
    """Commit `data` as the whole content of `path`, whose folder exists.

    Raises:
        StorageError: When the system refuses; what stood at `path` before is still there.
        IntegrityError: A folder between a run directory and the file is a link.
        BusyError: The directory is another process's now.
    """
    with deferred(), storage_errors(path, len(data)), opened_parent(path) as (folder, name):
        temp = _temp_name(name)
        try:
            _write_new(folder, temp, path, [data])
            _rename(folder, temp, name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp, dir_fd=folder)
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

        with opened_parent(path) as (folder, name):
            _write_new(folder, name, path, hashed(), is_large=num_bytes > BLOCK_BYTES)
    return digest.hexdigest()


def make_directory(path: Path) -> None:
    """Create a folder and its missing parents; an existing one is fine.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: Below a run directory, it is a link.
    """
    with deferred(), storage_errors(path), opened_parent(path / "_", make=True):
        pass


def settle_directory(path: Path) -> None:
    """Create a folder that others may have created a moment ago, and wait until it and those above it are on the disk.

    Raises:
        StorageError: When the system refuses.
        IntegrityError: Below a run directory, it is a link.
    """
    make_directory(path)
    with storage_errors(path):
        device = path.stat().st_dev
        for folder in path.absolute().parents:
            # A folder that may not be read was not made a moment ago; nor was one of another file system.
            if folder.stat().st_dev == device:
                with suppress(PermissionError), opened(folder) as handle:
                    sync(handle, folder)


def claim_directory(path: Path) -> bool:
    """Create a folder, and its missing parents; False when something stands there."""
    try:
        with deferred(), storage_errors(path):
            make_folder(path)
    except StorageError as error:
        if isinstance(error.__cause__, FileExistsError):
            return False
        raise
    return True


@contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `final` when the body ends, and disappears when the body raises."""
    temp = final.with_name(_temp_name(final.name))
    make_directory(temp)
    try:
        with storage_errors(final):
            yield temp
        commit_directory(temp, final)
    except BaseException:
        with suppress(QaexpError):
            remove(temp)
        raise


def commit_directory(temp: Path, final: Path) -> None:
    """Make the folder `temp`, and all that is in it, stand as `final` beside it in place of what stood there.

    A folder cannot be renamed over a full one: the old one is moved aside first and removed last.
    """
    with deferred(), storage_errors(final), opened_parent(final) as (folder, name):
        _settle_tree(folder, temp)
        old = _temp_name(name)
        if _stands(folder, name):
            points.reached("rename_old", final)
            check_root(final)
            _move_aside(folder, name, old)
        _rename(folder, temp.name, name, final)
    remove(final.with_name(old))


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder; nothing there is fine."""
    if not os.path.lexists(path):
        return
    with deferred(), storage_errors(path), opened_parent(path) as (folder, name):
        points.reached("remove", path)
        if is_folder(folder, name):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def remove_temps(directory: Path) -> None:
    """Delete what a killed process left half-written in `directory`."""
    for path in directory.glob(f"{TEMP_PREFIX}*"):
        remove(path)


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


def _rename(folder: int, temp: str, name: str, path: Path) -> None:
    """Commit a temp name.

    Who takes a directory over says so first and deletes the temp names then; so whoever has lost it finds that out in
    the check, or finds no temp name any more, at whatever moment it was stopped.
    """
    points.reached("rename", path)
    check_root(path)
    os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    points.reached("renamed", path)
    sync(folder, path)


def _move_aside(folder: int, name: str, old: str) -> None:
    try:
        os.rename(name, old, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # An overlay renames no folder of its lower layer. What replaces this one is whole, under its temporary name.
        shutil.rmtree(name, dir_fd=folder)


def _settle_tree(folder: int, tree: Path) -> None:
    """Let all that a library wrote into a folder be as readable as the folder is, and wait until it is on the disk."""
    for _, _, names, handle in os.fwalk(tree.name, dir_fd=folder):
        mode = os.fstat(handle).st_mode & 0o666
        for name in names:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=handle)
            try:
                if os.fstat(descriptor).st_mode & 0o666 != mode:
                    os.fchmod(descriptor, mode)  # some make their files for their owner alone
                sync(descriptor, tree / name)
            finally:
                os.close(descriptor)
        sync(handle, tree)


def _stands(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _temp_name(name: str) -> str:
    return f"{TEMP_PREFIX}{name}-{secrets.token_hex(4)}"
