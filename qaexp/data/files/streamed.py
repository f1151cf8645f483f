"""Records of a large file, read as a stream; what they are and what is wrong with them is as in a small file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qaexp.data.files.compression import suffix_of
from qaexp.data.files.contents import BINARY_SUFFIXES, check_content, looks_like_json
from qaexp.data.files.json_streams import is_lines, streamed_lines, streamed_values
from qaexp.data.files.layouts import value_records
from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.streams import NotStreamedError, edges, text_blocks


def streamed_records(path: Path, reading: Reading) -> Iterator[Record]:
    """Yield the records of a JSON document or of JSON lines.

    Raises:
        NotStreamedError: It is another file, or an unusual one; it may be noticed only after some records.
        DataError: As `read_records`.
    """
    check_content(path, edges(path))
    if suffix_of(path) in BINARY_SUFFIXES or not looks_like_json(next(text_blocks(path), "")):
        raise NotStreamedError
    if is_lines(path):
        yield from value_records(_lines(path, reading.base), reading)
        return
    is_object, values = streamed_values(path, reading.columns)
    key = f"{reading.base}data" if is_object else reading.base
    numbered = ((f"{key}[{index}].", value) for index, value in enumerate(values))
    yield from value_records(numbered, reading, is_article=is_object)


def _lines(path: Path, base: str) -> Iterator[tuple[str, Any]]:
    return ((f"{base}line {number}: ", value) for number, value in streamed_lines(path))
