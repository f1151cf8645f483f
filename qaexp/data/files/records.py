"""From the bytes of a data file to one raw record per question, whatever the format."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qaexp.data.files.columns import column_rows
from qaexp.data.files.compression import MAX_FILE_BYTES, suffix_of, unpacked
from qaexp.data.files.contents import BINARY_SUFFIXES, READ, check_content, looks_like_json
from qaexp.data.files.delimited import SUFFIXES, looks_delimited, table_rows
from qaexp.data.files.encodings import without_signs
from qaexp.data.files.json_text import LINE_SUFFIXES, json_values, parse_json
from qaexp.data.files.layouts import document_records, flat_records, value_records
from qaexp.data.files.reading import Reading, Record
from qaexp.errors import DataError


def read_regular_file(path: Path) -> bytes:
    """Read a whole file, but never a directory, pipe or device; what its name says is compressed is unpacked.

    Raises:
        DataError: It is missing, unreadable, empty, damaged, too large, no regular file, or compressed without a name
            that says so.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if path.is_dir() else "not a regular file (a pipe or a device)"
            raise DataError(f"{path} is {kind}; give the path of a data file.")
        if status.st_size > MAX_FILE_BYTES:
            size, limit = status.st_size / 2**30, MAX_FILE_BYTES // 2**30
            raise DataError(f"{path} has {size:,.1f} GiB, and a data file may have {limit}; split it.")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path and its permissions.") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} is no legal path: {error}.") from error
    content = unpacked(path, content)
    if not content:
        raise DataError(f"{path} is empty; download or export it again.")
    if content[:2] == b"\x1f\x8b":
        raise DataError(f"{path} is compressed with gzip; run `gunzip` on it first, or let its name end in .gz.")
    return content


def read_records(path: Path, content: bytes, reading: Reading) -> Iterator[Record]:
    """Yield the records of a file.

    What a file is follows from its content: JSON in any known layout, JSON lines, a table as text. Only parquet files
    and Arrow streams need their suffixes.

    Raises:
        DataError: The file as a whole cannot be understood; the place is named.
    """
    check_content(path, content)
    base = reading.base
    if suffix_of(path) in BINARY_SUFFIXES and content[:64].lstrip()[:1] not in (b"{", b"["):
        columns, wants_answers = reading.columns, reading.wants_answers
        found = enumerate(column_rows(path, content, columns, wants_answers=wants_answers), start=1)
        yield from flat_records(((f"{base}row {number}: ", row) for number, row in found), reading)
        return
    text = _decode(path, content)
    if looks_like_json(text):
        yield from _json_records(path, text, reading)
    elif looks_delimited(path, text, reading.columns):
        rows = table_rows(path, text, reading.columns, wants_answers=reading.wants_answers)
        yield from flat_records(((f"{base}line {line}: ", row) for line, row in rows), reading)
    elif suffix_of(path) in (".json", *LINE_SUFFIXES):
        yield from document_records(parse_json(path, text, 1), reading)
    else:
        raise DataError(f"{path} is neither JSON nor a table with the columns of questions; {READ}.")


def json_objects(path: Path, content: bytes) -> list[tuple[str, Any]]:
    """Return the values of a JSON file with their places: those of its lines, of its list, or the one that it is.

    Of a file that is no JSON there are none.

    Raises:
        DataError: It is broken JSON, or no text.
    """
    check_content(path, content)
    if suffix_of(path) in BINARY_SUFFIXES or not looks_like_json(text := _decode(path, content)):
        return []
    found: list[tuple[str, Any]] = []
    for line, value in json_values(path, text):
        if line is None and isinstance(value, list):
            found += [(f"[{index}].", item) for index, item in enumerate(value)]
        else:
            found.append(("" if line is None else f"line {line}: ", value))
    return found


def _json_records(path: Path, text: str, reading: Reading) -> Iterator[Record]:
    """Yield the questions of a JSON document, or of JSON lines."""
    values = json_values(path, text)
    line, value = next(values)
    if line is None:
        yield from document_records(value, reading)
    else:
        yield from value_records(_with_places(reading.base, line, value, values), reading)


def _with_places(base: str, line: int, value: Any, rest: Iterator[tuple[int | None, Any]]) -> Iterator[tuple[str, Any]]:
    yield f"{base}line {line}: ", value
    for number, other in rest:
        yield f"{base}line {number}: ", other


def _decode(path: Path, content: bytes) -> str:
    """Return the text of UTF-8 bytes, without byte order marks and Ctrl-Z at its end."""
    try:
        return without_signs(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        hint = "is the file complete, and is it text?"
        if error.reason != "unexpected end of data" and suffix_of(path) in (*SUFFIXES, ".json", *LINE_SUFFIXES):
            hint = "save it as UTF-8 where it was made (one of western Windows: iconv -f WINDOWS-1252 -t UTF-8)"
        raise DataError(
            f"{path}: line {line}, column {column}: the bytes are not UTF-8 ({error.reason}); {hint}"
        ) from error
