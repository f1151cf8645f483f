"""Data files that are compressed with gzip or zstd: told by their names, unpacked within limits."""

from __future__ import annotations

from pathlib import Path

from qaexp.errors import DataError

MAX_FILE_BYTES = 4 * 2**30
COMPRESSED = (".gz", ".zst")
_CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# Text packs to a tenth, and to a hundredth where each row repeats its context.
_FREE_UNPACKED, _MAX_RATIO = 64 * 2**20, 100
_AT_ONCE = 4 * 2**20


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case: behind `.gz` or `.zst` the one before it.

    >>> suffix_of(Path("train.JSONL")), suffix_of(Path("train.jsonl.gz")), suffix_of(Path("train"))
    ('.jsonl', '.jsonl', '')
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSED else suffix


def unpacked(path: Path, content: bytes) -> bytes:
    """Return what a file holds: its bytes, or those that are compressed in it, if its name says so.

    Raises:
        DataError: It is cut off or damaged, or unpacks to more than a data file of its size may hold.
    """
    codec = codec_of(path, content)
    if codec is None:
        return content
    if suffix_of(path) in (".parquet", ".arrow"):
        raise DataError(
            f"{path} is a compressed {suffix_of(path)[1:]} file, and only texts are unpacked; unpack it first."
        )
    import pyarrow as pa

    if not pa.Codec.is_available(codec):
        raise DataError(f"{path} is compressed with {codec}, which the installed pyarrow cannot read; unpack it first.")
    limit = unpacked_limit(len(content))
    parts, size = [], 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), codec) as stream:
            while part := stream.read(_AT_ONCE):
                size += len(part)
                if size > limit:
                    raise _too_large(path, len(content), limit)
                parts.append(part)
    except (OSError, pa.ArrowException, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "it is too large for this machine"
        raise DataError(f"{path} cannot be unpacked ({codec}: {reason}); download or export it again.") from error
    return b"".join(parts)


def codec_of(path: Path, beginning: bytes) -> str | None:
    """How a file is compressed, if its name says that it is; None for any other one."""
    if path.suffix.lower() not in COMPRESSED:
        return None
    return next((name for magic, name in _CODECS.items() if beginning.startswith(magic)), None)


def unpacked_limit(num_bytes: int) -> int:
    """The most bytes that a compressed file of some bytes may hold."""
    return min(MAX_FILE_BYTES, _FREE_UNPACKED + _MAX_RATIO * num_bytes)


def _too_large(path: Path, size: int, limit: int) -> DataError:
    return DataError(
        f"{path} has {size:,} bytes and unpacks to more than {limit / 2**20:,.0f} MiB, the most that is read of such a "
        "file; unpack it if it is what you expect, or split it"
    )
