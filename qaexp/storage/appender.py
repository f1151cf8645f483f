"""Files that only grow: every line is in the file at once, and one that was torn is followed by a fresh line."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from qaexp.errors import QaexpError
from qaexp.storage import points
from qaexp.storage.files import storage_errors, write_bytes
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes
from qaexp.storage.roots import check_root, opened_parent, sync
from qaexp.storage.signals import deferred

_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


def truncate(path: Path, size: int) -> None:
    """Cut a file off after its first `size` bytes.

    Raises:
        StorageError: When the system refuses.
    """
    with deferred(), storage_errors(path), opened_parent(path) as (folder, name):
        _unshare(path, folder, name)
        points.reached("truncate", path)
        descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            # After it is open: whoever takes the directory over gives its files new places, and says so first.
            check_root(path)
            os.ftruncate(descriptor, size)
            sync(descriptor, path)
        finally:
            os.close(descriptor)


def append_descriptor(path: Path) -> int:
    """Open a file that only grows, which is made when it is missing; a link is refused.

    Returns:
        Its descriptor; the name is on the disk.

    Raises:
        StorageError: When the system refuses.
    """
    with storage_errors(path), opened_parent(path) as (folder, name):
        _unshare(path, folder, name)
        points.reached("open", path)
        descriptor = os.open(name, _APPEND, 0o666, dir_fd=folder)
        try:
            sync(folder, path)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _unshare(path: Path, folder: int, name: str) -> None:
    """Give a file that has another name too (`cp -al` makes backups so) bytes of its own, before they are changed."""
    with suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            write_bytes(path, read_bytes(path, MAX_TABLE_BYTES))


class Appender:
    """A file that only grows, one flushed line at a time; it opens on a fresh line after a torn one."""

    def __init__(self, path: Path) -> None:
        """Open `path`, which is made when it is missing; a link is refused.

        Raises:
            StorageError: When the system refuses.
        """
        self.path = path
        self._file = os.fdopen(append_descriptor(path), "r+b", buffering=0)
        try:
            with storage_errors(path):
                if self._is_torn():
                    check_root(path)
                    self._file.write(b"\n")
        except QaexpError:
            self.close()
            raise

    def append(self, text: str) -> None:
        """Add `text`, which ends with a line end.

        Raises:
            StorageError: When not all of it could be written; the torn line is dropped by readers.
            BusyError: The directory is another process's now; nothing was written.
        """
        data = text.encode("utf-8", "backslashreplace")
        with deferred(), storage_errors(self.path, len(data)):
            points.reached("append", self.path)
            check_root(self.path)
            while data:
                data = data[self._file.write(data) :]
            points.reached("appended", self.path)

    def sync(self) -> int:
        """Wait until what was appended is on the disk.

        Returns:
            The size of the file, in bytes.

        Raises:
            StorageError: When the system refuses.
        """
        with storage_errors(self.path):
            sync(self._file.fileno(), self.path)
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file; a closed one may be closed again."""
        self._file.close()

    def _is_torn(self) -> bool:
        size = os.fstat(self._file.fileno()).st_size
        return size > 0 and os.pread(self._file.fileno(), 1, size - 1) != b"\n"
