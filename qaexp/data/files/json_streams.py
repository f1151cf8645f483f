"""JSON of any size, value by value: the articles of a document, the rows of a list, the lines of JSON lines.

Only the outermost list is walked here; its values are parsed as `json_text` parses a whole file. Whatever is unusual is
not streamed, so that a fault has the message, and a layout the meaning, that it has in a small file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qaexp.data.files.compression import suffix_of
from qaexp.data.files.encodings import SIGNS
from qaexp.data.files.json_text import (
    LINE_SUFFIXES,
    MAX_LINE_BYTES,
    has_too_many_lists,
    is_whole,
    parse_line,
    strict_decoder,
)
from qaexp.data.files.names import Columns, theirs
from qaexp.data.files.streams import NotStreamedError, text_blocks
from qaexp.errors import DataError

_UNSEEN = f"{SIGNS} \t\r\n"
_SPACE = re.compile(r"[ \t\n\r]*")
# What stands beside the articles, a version say, is this small.
_MAX_BESIDE = 2**16


def is_lines(path: Path) -> bool:
    """Whether a large JSON file has a value a line: its first line is one, or its name says so, and more lines follow.

    Raises:
        NotStreamedError: It has one line, whatever its name says; or that line is longer than any.
    """
    text, first = "", None
    for block in text_blocks(path):
        text = (text + block).lstrip()
        if first is None and "\n" in text:
            first, _, text = text.partition("\n")
        if first is not None and text.strip(_UNSEEN):
            return suffix_of(path) in LINE_SUFFIXES or is_whole(path, first, 0, len(first))
        if first is None and len(text) > MAX_LINE_BYTES:
            break
    if suffix_of(path) in LINE_SUFFIXES:
        raise NotStreamedError
    return False


def streamed_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the values of JSON lines with their lines, from 1.

    Raises:
        NotStreamedError: The first line is no value.
        DataError: A later one is none.
    """
    is_first = True
    for number, line in enumerate(_lines(path), start=1):
        line = line.strip(SIGNS)
        if not line.strip():
            continue
        try:
            value = parse_line(path, line, number)
        except DataError as error:
            if is_first:
                raise NotStreamedError from error
            raise
        is_first = False
        yield number, value


def _lines(path: Path) -> Iterator[str]:
    rest = ""
    for block in text_blocks(path):
        *whole, rest = (rest + block).split("\n")
        yield from whole
        if len(rest) > MAX_LINE_BYTES:
            raise NotStreamedError
    yield rest


def streamed_values(path: Path, columns: Columns) -> tuple[bool, Iterator[Any]]:
    """Open a document that is one long list, or an object with one under `data`.

    Args:
        path: The file.
        columns: The user's own names: an object with a list under one of them is a table of columns.

    Returns:
        Whether it is such an object, and the values of the list.

    Raises:
        NotStreamedError: It is neither; or, while values are taken, it is no JSON, or another layout after all.
    """
    walk = _Walk(path)
    if walk.takes("["):
        return False, walk.items(is_object=False)
    if not walk.takes("{"):
        raise NotStreamedError
    walk.beside(columns, stops_at="data")
    return True, walk.items(is_object=True)


class _Walk:
    """A place in a JSON document of which a part is held."""

    def __init__(self, path: Path) -> None:
        self._blocks = text_blocks(path)
        self._decoder = strict_decoder()
        self._text, self._place = "", 0
        self._is_end = False
        self._keys: set[str] = set()
        self._columns: Columns = {}

    def takes(self, sign: str) -> bool:
        """Pass a sign and the white space before it, if it stands here."""
        if self._next() != sign:
            return False
        self._place += 1
        return True

    def beside(self, columns: Columns, *, stops_at: str | None) -> None:
        """Pass keys with small values of an object, up to the list under a key, or to the object's end."""
        self._columns = columns
        called = theirs(columns)
        while not (stops_at is None and self.takes("}")):
            key = self._value(_MAX_BESIDE)
            if not isinstance(key, str) or key in self._keys or not self.takes(":"):
                raise NotStreamedError
            self._keys.add(key)
            if key == stops_at and self.takes("["):
                return
            if key in (called["question"], called["context"], "columns", "data"):
                raise NotStreamedError
            self._value(_MAX_BESIDE)
            if not self.takes(",") and not (stops_at is None and self._next() == "}"):
                raise NotStreamedError

    def items(self, *, is_object: bool) -> Iterator[Any]:
        """Yield the values up to the end of the list, behind which the document ends."""
        is_empty = self.takes("]")
        while not is_empty:
            yield self._value()
            if self.takes("]"):
                break
            if not self.takes(","):
                raise NotStreamedError
        if is_object:
            if self.takes(","):
                self.beside(self._columns, stops_at=None)
            elif not self.takes("}"):
                raise NotStreamedError
        while self._more():
            pass
        if self._text[self._place :].strip(_UNSEEN):
            raise NotStreamedError

    def _next(self) -> str:
        """The sign that comes next, behind white space; nothing at the end."""
        while True:
            match = _SPACE.match(self._text, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _value(self, most: int | None = None) -> Any:
        """Parse the value that stands here, and pass it; `most`: the characters that it may have."""
        self._next()
        wanted = 0
        while True:
            held = len(self._text) - self._place
            # A long value is tried again when twice as much of it is there.
            if held >= wanted or self._is_end:
                if (found := self._parsed()) is not None:
                    break
                if self._is_end or (most is not None and held > most):
                    raise NotStreamedError
                wanted = 2 * held
            self._more()
        value, end = found
        if has_too_many_lists(self._text, self._place, end):
            raise NotStreamedError
        self._place = end
        return value

    def _parsed(self) -> tuple[Any, int] | None:
        """The value and the place behind it; None where more of the text is needed to tell."""
        try:
            value, end = self._decoder.raw_decode(self._text, self._place)
        except json.JSONDecodeError:
            return None
        except (ValueError, RecursionError) as error:
            raise NotStreamedError from error
        # A number may go on behind what is held.
        return (value, end) if end < len(self._text) or self._is_end else None

    def _more(self) -> bool:
        """Hold some more of the text, and drop what was passed; False at its end."""
        block = next(self._blocks, None)
        self._is_end = block is None
        if block is None:
            return False
        self._text, self._place = self._text[self._place :] + block, 0
        return True
