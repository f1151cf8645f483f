"""From the lines of a table to rows of cells: what a quotation mark means in it, and limits before there are cells."""

from __future__ import annotations

import csv
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qaexp.data.files.json_text import MAX_LINE_BYTES, first_line
from qaexp.data.files.validation import MAX_TEXT
from qaexp.errors import DataError

MAX_COLUMNS = 10_000
_MAX_ROWS = 20_000_000
_LIMIT_LOCK = threading.Lock()


def split_rows(path: Path, text: str, mark: str, begin: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line that it ends at.

    Tabs separate cells that nobody quotes in many exports: there a quotation mark is a character like others, unless
    cells begin and end with one, and rows have the cells of the header so.
    """
    is_bare = mark == "\t" and (not _has_quoted_cells(text) or _is_bare_alone(path, text, begin))
    yield from _cells(path, text, mark, begin, is_bare=is_bare)


def _is_bare_alone(path: Path, text: str, begin: int) -> bool:
    """Whether all rows of a table with tabs have the cells of its header only where a quotation mark is a character."""
    num_lines, width = 0, 0
    for line in _short_lines(path, text, "\t", begin):
        cells = line.rstrip("\r\n").split("\t")
        if not line.strip():
            continue
        width = width if num_lines else len(cells)
        if len(cells) != width or any(_is_quoted(cell, is_header=not num_lines) for cell in cells):
            return False
        num_lines += 1
    try:
        widths = Counter(len(cells) for _, cells in _cells(path, text, "\t", begin, is_bare=False))
    except DataError:
        return True
    return widths != {width: num_lines}


def _is_quoted(cell: str, *, is_header: bool) -> bool:
    """Whether a program put a cell in quotation marks: a name, or a text in which it wrote one twice."""
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and (is_header or '""' in cell[1:-1])


def _cells(path: Path, text: str, mark: str, begin: int, *, is_bare: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank; bare ones have no quotes.

    Raises:
        DataError: Quotes are wrong, or a line is beyond any table's.
    """
    reader = csv.reader(
        _short_lines(path, text, mark, begin),
        delimiter=mark,
        strict=True,
        quoting=csv.QUOTE_NONE if is_bare else csv.QUOTE_MINIMAL,
        skipinitialspace=_has_spaces(text, mark, begin),
    )
    while True:
        try:
            with _long_cells():
                cells = next(reader, None)
        except csv.Error as error:
            reason = str(error).partition(" - ")[0]
            raise DataError(
                f"{path}: line {reader.line_num}: this is no row of a table ({reason}); quote texts that hold the "
                'delimiter, a line end or a quotation mark, which is written twice ("")'
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _has_spaces(text: str, mark: str, begin: int) -> bool:
    """Whether a space stands behind each delimiter of a header, as it is typed by hand: it belongs to no cell."""
    start, end = first_line(text)
    cells = text[start:end].split(mark) if begin == 0 and mark != "\t" else []
    return len(cells) > 1 and all(cell.startswith(" ") for cell in cells[1:])


def _has_quoted_cells(text: str) -> bool:
    """Whether cells of a table with tabs are quoted: one begins with a mark, and one ends with it."""
    return ('\t"' in text or '\n"' in text or text.startswith('"')) and (
        '"\t' in text or '"\n' in text or '"\r' in text
    )


def _short_lines(path: Path, text: str, mark: str, begin: int) -> Iterator[str]:
    """Yield the lines from a place on with their ends, none of them beyond any table's."""
    number = text.count("\n", 0, begin)
    while begin < len(text):
        number += 1
        end = text.find("\n", begin) + 1 or len(text)
        if end - begin > MAX_LINE_BYTES or text.count(mark, begin, end) > MAX_COLUMNS + MAX_TEXT:
            raise DataError(f"{path}: line {number} has {end - begin:,} characters; is there one question a row?")
        if number > _MAX_ROWS:
            raise DataError(f"{path} has more than {_MAX_ROWS:,} lines, and no more are read; split it.")
        yield text[begin:end]
        begin = end


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a text may be; the limit is that of the whole process otherwise."""
    with _LIMIT_LOCK:
        before = csv.field_size_limit(4 * MAX_TEXT)
        try:
            yield
        finally:
            csv.field_size_limit(before)
