"""The content of a large file some megabytes at a time: its sha256, its beginning and end, its text."""

from __future__ import annotations

import codecs
import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from qaexp.data.files.compression import COMPRESSED, MAX_FILE_BYTES, codec_of, unpacked_limit
from qaexp.data.files.encodings import SIGNS

LARGE_BYTES = 8 * 2**20
"""From this size on a file, or all shards of a split together, is read as a stream: about 20,000 questions of SQuAD."""

# Text packs to a tenth, and so do rows in parquet files, which hold a context that rows share once.
_PACKED, _MAX_RATIO = (*COMPRESSED, ".parquet"), 10
_AT_ONCE = 4 * 2**20
_EDGE = 16 * 2**10


class NotStreamedError(Exception):
    """A file cannot be read as a stream; read whole, it can, or its fault is told with its place."""


def is_large(paths: tuple[Path, ...]) -> bool:
    """Whether files that hold a split are to be read as a stream; what cannot be read at all is not."""
    return num_bytes(paths) >= LARGE_BYTES


def num_bytes(paths: tuple[Path, ...]) -> int:
    """About how many bytes of text files hold."""
    return sum(map(_size, paths))


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        return 0
    return status.st_size * (_MAX_RATIO if path.suffix.lower() in _PACKED else 1)


def blocks(path: Path) -> Iterator[bytes]:
    """Yield what a file holds, unpacked where it is compressed and its name says so.

    Raises:
        NotStreamedError: It cannot be read, or unpacks to more than a data file of its size may hold; or it is a pipe,
            which would be waited for.
    """
    if not _size(path):
        raise NotStreamedError
    try:
        with path.open("rb") as file:
            codec = codec_of(path, file.read(4))
            file.seek(0)
            if codec is None:
                while block := file.read(_AT_ONCE):
                    yield block
                return
        yield from _unpacked(path, codec)
    except OSError as error:
        raise NotStreamedError from error


def _unpacked(path: Path, codec: str) -> Iterator[bytes]:
    import pyarrow as pa

    rest = unpacked_limit(path.stat().st_size)
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), codec) as stream:
            while block := stream.read(_AT_ONCE):
                rest -= len(block)
                if rest < 0:
                    raise NotStreamedError
                yield block
    except (pa.ArrowException, MemoryError) as error:
        raise NotStreamedError from error


def stream_sha256(path: Path) -> str:
    """The sha256 of what a file holds.

    Raises:
        NotStreamedError: As `blocks`.
    """
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()


def edges(path: Path) -> bytes:
    """The beginning and the end of what a file holds, by which it is told what it is.

    Raises:
        NotStreamedError: As `blocks`.
    """
    head = tail = b""
    for block in blocks(path):
        head = head or block[:_EDGE]
        tail = (tail + block)[-_EDGE:]
    return head + tail


def text_blocks(path: Path) -> Iterator[str]:
    """Yield the text of a file in UTF-8, without byte order marks before it.

    Raises:
        NotStreamedError: As `blocks`, or the bytes are no UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_first = True
    try:
        for block in blocks(path):
            text = decoder.decode(block)
            yield text.lstrip(SIGNS) if is_first else text
            is_first = False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise NotStreamedError from error
