"""Whether an Arrow stream has compressed batches: told from the headers of its messages, before any is unpacked.

https://arrow.apache.org/docs/format/Columnar.html: a stream is messages, each with its length, a flatbuffer `Message`
and a body; a record batch whose body is compressed has the table `compression` as its fourth field.
"""

from __future__ import annotations

import struct

_CONTINUES = 0xFFFFFFFF
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
# Places of fields in the tables of Message.fbs.
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_DATA_OF_DICTIONARY, _COMPRESSION = 1, 3


_FILE_MAGIC = b"ARROW1"


def is_compressed(content: bytes) -> bool:
    """Return whether a batch of an Arrow stream is compressed.

    Raises:
        ValueError: The messages do not follow each other as those of a stream.
    """
    place = 0
    if content.startswith(_FILE_MAGIC):
        raise ValueError("it is an Arrow file, not a stream: write it by pyarrow.ipc.new_stream, or as parquet")
    try:
        while place < len(content):
            (length,) = struct.unpack_from("<I", content, place)
            place += 4
            if length == _CONTINUES:
                (length,) = struct.unpack_from("<I", content, place)
                place += 4
            if length == 0:
                return False
            if length > len(content) - place:
                raise ValueError("a message is longer than the file")
            header = content[place : place + length]
            if _is_compressed_batch(header):
                return True
            place += length + _body_length(header)
    except struct.error as error:
        raise ValueError(f"its messages are damaged ({error})") from error
    return False


def _is_compressed_batch(header: bytes) -> bool:
    message = _table(header, 0)
    kind_at = _field(header, message, _HEADER_TYPE)
    kind = header[kind_at] if 0 < kind_at < len(header) else 0
    at = _field(header, message, _HEADER)
    if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH) or not at:
        return False
    batch = _table(header, at)
    if kind == _DICTIONARY_BATCH:
        at = _field(header, batch, _DATA_OF_DICTIONARY)
        if not at:
            return False
        batch = _table(header, at)
    return _field(header, batch, _COMPRESSION) > 0


def _body_length(header: bytes) -> int:
    at = _field(header, _table(header, 0), _BODY_LENGTH)
    length: int = struct.unpack_from("<q", header, at)[0] if at else 0
    if length < 0:
        raise ValueError("a message has a body of negative length")
    return length


def _table(data: bytes, at: int) -> int:
    """Follow the offset at a place to the table that it leads to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """The place of a table's field; 0 where the table does not have it."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    if vtable < 0:
        raise ValueError("a table leads out of its message")
    (size,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * number + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * number)
    return table + offset if offset else 0
