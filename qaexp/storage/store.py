"""A folder of an object store, by fsspec: listed, read and written object by object, and each refusal is one sentence.

Credentials are what the store's own package finds in the environment. A store has no rename: who writes several
objects that belong together writes last the one that says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, IntegrityError, QaexpError, StorageError
from qaexp.storage import points
from qaexp.storage.formats import beginning
from qaexp.storage.reading import MEBIBYTE
from qaexp.storage.secret_forms import without_shapes
from qaexp.storage.urls import PROTOCOLS, protocol_of, url_problems

CHUNK_BYTES = 8 * MEBIBYTE
"""What is larger is never held as a whole."""

MAX_OBJECTS = 1_000_000

_EXTRAS = {"s3fs": "'qaexp[s3]'"}
# Without these fsspec would answer from what it has seen before, while others write.
_FRESH = {"use_listings_cache": False, "skip_instance_cache": True}
_LOCAL = "file"


class Store:
    """The objects below one URL, each by its name with forward slashes.

    Attributes:
        url: Without a slash at its end.
    """

    def __init__(self, url: str, name: str = "") -> None:
        """Open what serves the URL; nothing is asked of it yet.

        Args:
            url: A URL of a folder.
            name: What the URL is the value of, for messages: a key with `=`, or nothing.

        Raises:
            ConfigError: It is no URL of a store, the package that it needs is missing, or that takes nothing of what
                the environment gives.
        """
        if problems := list(url_problems(name, url)):
            raise ConfigError(*problems)
        self.url, self._name = url.rstrip("/"), name
        self._files = _filesystem(self.url, name)
        self._root = str(self._files._strip_protocol(self.url)).rstrip("/")

    def below(self, name: str) -> Store:
        """The folder of this name in it."""
        inner: Store = object.__new__(Store)
        inner.url, inner._name, inner._files = f"{self.url}/{name}", self._name, self._files
        inner._root = f"{self._root}/{name}"
        return inner

    def check(self) -> None:
        """Ask whether there is such a place, and whether it may be listed.

        Raises:
            ConfigError: There is none, or it may not.
        """
        try:
            with _told(self.url):
                self._look()
        except StorageError as error:
            raise ConfigError(f"{self._name}{error}") from error

    def sizes(self, depth: int | None = None) -> dict[str, int]:
        """The sizes of all objects below the folder in bytes, by name; nothing where there is no such folder.

        Links of a local folder are left out, as is what has a name with an empty, `.` or `..` part.

        Raises:
            StorageError: It cannot be listed.
            IntegrityError: It holds more than a run or a sweep ever has.
        """
        with _told(self.url):
            try:
                found = self._files.find(self._root, maxdepth=depth, detail=True)
            except FileNotFoundError:
                return {}
        if len(found) > MAX_OBJECTS:
            raise IntegrityError(f"{self.url}: holds {len(found):,} objects, more than {MAX_OBJECTS:,}; give a folder")
        return dict(_named(found, f"{self._root}/"))

    def read(self, name: str, size: int) -> bytes:
        """The content of an object, but no more than a byte over `size`, which the listing told.

        Raises:
            FileNotFoundError: There is none.
            StorageError: It cannot be read.
        """
        if not size:  # no byte of an empty object may be asked for
            return b""
        with _told(f"{self.url}/{name}"):
            data: bytes = self._files.cat_file(f"{self._root}/{name}", start=0, end=size + 1)
        return data

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the content of an object piece by piece, and no more than a byte over `size`; raises as `read`."""
        if size <= CHUNK_BYTES:
            yield self.read(name, size)
            return
        with _told(f"{self.url}/{name}"), self._files.open(f"{self._root}/{name}", "rb") as file:
            left = size + 1
            while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk

    def write(self, name: str, chunks: Iterable[bytes], size: int) -> None:
        """Write an object.

        Args:
            name: Its name; what was there is replaced.
            chunks: Its content.
            size: Its size in bytes, as far as it is known: what is small is written in one piece.

        Raises:
            StorageError: The store refuses.
        """
        place = Path(name)
        points.reached("put", place)
        data = iter(chunks)
        with _told(f"{self.url}/{name}"):
            if size <= CHUNK_BYTES:
                self._files.pipe_file(f"{self._root}/{name}", b"".join(data))
            else:
                self._write_large(name, data)
        points.reached("was_put", place)

    def remove(self, name: str) -> None:
        """Remove an object; none there is fine.

        Raises:
            StorageError: The store refuses.
        """
        points.reached("take_away", Path(name))
        with _told(f"{self.url}/{name}"):
            try:
                self._files.rm_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return

    def local_path(self) -> Path | None:
        """The folder of this machine that it is; None for a store elsewhere."""
        return Path(os.path.realpath(self._root)) if protocol_of(self.url) == _LOCAL else None

    def _write_large(self, name: str, data: Iterator[bytes]) -> None:
        with self._files.open(f"{self._root}/{name}", mode="wb") as file:
            for chunk in data:
                file.write(chunk)
                points.reached("put_part", Path(name))

    def _look(self) -> None:
        folder = self.local_path()
        if folder is not None:
            if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                kind = "may not be written" if folder.is_dir() else "there is no such folder"
                raise ConfigError(f"{self._name}{self.url}: {kind}; make it, or choose another one")
            return
        try:
            self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            bucket = self._root.lstrip("/").partition("/")[0]
            if protocol_of(self.url) != "memory" and not self._files.exists(bucket):
                raise ConfigError(
                    f"{self._name}{self.url}: there is no bucket {bucket}, or it is not yours to see; make it, or "
                    "choose another one"
                ) from None


def _filesystem(url: str, name: str) -> Any:
    """What speaks to a store."""
    import fsspec

    protocol = protocol_of(url)
    options: dict[str, Any] = {"auto_mkdir": True} if protocol == _LOCAL else {}
    try:
        return fsspec.filesystem(protocol, **_FRESH, **options)
    except ImportError as error:
        package = PROTOCOLS[protocol]
        raise ConfigError(
            f"{name}{url}: {protocol}:// needs the package {package}, which is not installed; pip install "
            f"{_EXTRAS.get(package, package)}"
        ) from error
    except Exception as error:
        raise ConfigError(f"{name}{url}: cannot be opened: {_reason(error)}; {_way_out(error)}") from error


def _named(found: Mapping[str, Any], root: str) -> Iterator[tuple[str, int]]:
    for key, info in found.items():
        name = key.removeprefix(root)
        is_file = info.get("type") == "file" and not info.get("islink")
        if is_file and key.startswith(root) and is_name(name) and isinstance(info.get("size"), int):
            yield name, info["size"]


def is_name(name: str) -> bool:
    """Whether a name is that of a file below a folder, and of nothing elsewhere.

    >>> is_name("model/config.json"), is_name("../x"), is_name("a//b"), is_name("/x")
    (True, False, False, False)
    """
    return name.isprintable() and "\\" not in name and {"", ".", ".."}.isdisjoint(name.split("/"))


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Make one sentence of whatever a store, its package or the network raises; what is not there stays that.

    Raises:
        StorageError: In place of everything else.
    """
    try:
        yield
    except (QaexpError, FileNotFoundError):
        raise
    except Exception as error:
        raise StorageError(f"{place}: {_reason(error)}; {_way_out(error)}") from error


def _reason(error: Exception) -> str:
    text = without_shapes(beginning(str(error)), "<redacted>").rstrip(".")
    return f"the store refuses ({type(error).__name__}{': ' + text if text else ''})"


def _way_out(error: Exception) -> str:
    kind = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in kind or "Token" in kind:
        return "check the credentials in the environment and what they allow"
    return "check the URL, the network and the credentials in the environment"
