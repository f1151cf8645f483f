"""A file without a name, for numbers that memory may not hold: it is gone with its process, however that ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import gettempdir

from qaexp.errors import StorageError
from qaexp.storage.files import storage_errors, temp_name

_FLAGS = os.O_RDWR | os.O_CLOEXEC
_UNNAMED = getattr(os, "O_TMPFILE", 0)
# Where a file system cannot take room in advance, it is taken as bytes come.
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class Scratch:
    """Bytes at places; what was never written reads as zeros."""

    def __init__(self, folder: Path | None, num_bytes: int) -> None:
        """Make the file.

        Args:
            folder: Its place decides which disk it is on; None: the system's folder for temporary files.
            num_bytes: How large it becomes; the room is taken at once.

        Raises:
            StorageError: There is no room for it, or the folder may not be written.
        """
        self._folder = Path(gettempdir()) if folder is None else folder
        with storage_errors(self._folder, num_bytes):
            self._descriptor = _unnamed(self._folder)
        try:
            if num_bytes:
                with storage_errors(self._folder, num_bytes):
                    _take_room(self._descriptor, num_bytes)
        except StorageError:
            self.close()
            raise

    def write(self, place: int, data: memoryview) -> None:
        """Write bytes at a place.

        Raises:
            StorageError: The system refuses.
        """
        with storage_errors(self._folder, len(data)):
            while data:
                written = os.pwrite(self._descriptor, data, place)
                place, data = place + written, data[written:]

    def read(self, place: int, data: memoryview) -> None:
        """Fill `data` with the bytes at a place.

        Raises:
            StorageError: The system refuses.
        """
        with storage_errors(self._folder):
            read_at(self._descriptor, place, data)

    def close(self) -> None:
        """Give the room back; also done when nobody holds the file any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        """Close it."""
        if hasattr(self, "_descriptor"):
            self.close()


def read_at(descriptor: int, place: int, data: memoryview) -> None:
    """Fill `data` with the bytes of an open file at a place.

    Raises:
        EOFError: The file ends before.
        OSError: The system refuses.
    """
    while data:
        num_read = os.preadv(descriptor, [data], place)
        if not num_read:
            raise EOFError(f"the file ends at byte {place}")
        place, data = place + num_read, data[num_read:]


def _take_room(descriptor: int, num_bytes: int) -> None:
    try:
        os.posix_fallocate(descriptor, 0, num_bytes)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise


def _unnamed(folder: Path) -> int:
    """Open a new file that has no name; where the file system knows none, its name is taken away at once."""
    try:
        return os.open(folder, _FLAGS | _UNNAMED, 0o600)
    except OSError:
        path = folder / temp_name("scratch")
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        path.unlink()
        return descriptor
