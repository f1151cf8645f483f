"""Tables as text: CSV and TSV as Python's csv, pandas and spreadsheets write them, one question a row."""

from __future__ import annotations

import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qaexp.data.cells import read_cells
from qaexp.data.json_text import MAX_LINE_BYTES, first_line
from qaexp.data.names import NEEDED, Columns, check_names, guess, theirs
from qaexp.data.validation import MAX_TEXT
from qaexp.errors import DataError

SUFFIXES = (".csv", ".tsv", ".tab")
_DELIMITERS = (",", ";", "\t", "|")
_MAX_COLUMNS = 10_000
_LONGEST_HINT = 16
_MAX_ROWS = 20_000_000
_VISIBLE = re.compile(r"\S")
_LIMIT_LOCK = threading.Lock()


def looks_delimited(path: Path, text: str, columns: Columns) -> bool:
    """Whether a text is a table: by its suffix, or because its first line has the columns of questions."""
    if path.suffix.lower() in SUFFIXES:
        return True
    head = text[:MAX_LINE_BYTES]
    first = _first(head[_header_hint(head)[0] :])
    called = theirs(columns)
    return any({called["context"], called["question"]} <= set(_cells_of(first, mark)) for mark in _DELIMITERS)


def table_rows(path: Path, text: str, columns: Columns, *, wants_answers: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a table with their lines, as a flat JSON row would hold them (under the file's names).

    The delimiter is the one of `,`, `;`, tab and `|` under which the header has most of the needed names.

    Raises:
        DataError: Columns are missing, a row has another number of cells, quotes do not close, or a cell is too long.
    """
    text = text if "\n" in text else text.replace("\r", "\n")
    begin, mark = _header_hint(text)
    mark = mark or _delimiter(path, text, columns)
    _check_width(path, text, mark, begin)
    rows = _rows(path, text, mark, begin)
    _, header = next(rows, (0, []))
    header = [name.strip() for name in header]
    if not header:
        raise DataError(f"{path} holds nothing but blank lines; export it again.")
    _check_header(path, header, columns, wants_answers=wants_answers)
    if repeated := next((name for name, count in Counter(header).items() if name and count > 1), None):
        raise DataError(f"{path} has the column {repeated[:60]!a} more than once; rename one of them.")
    called = theirs(columns)
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"{path}: the row that ends at line {line} has {len(cells)} cells, and the header has {len(header)}; "
                "is a text with a delimiter or a line end in it not quoted?"
            )
        yield line, read_cells(dict(zip(header, cells, strict=True)), called)


def _check_header(path: Path, header: list[str], columns: Columns, *, wants_answers: bool) -> None:
    """Check the names of a table, whose first line may be its first question already."""
    try:
        check_names(path, header, columns, wants_answers=wants_answers)
    except DataError as error:
        if columns or any(guess(name, header, ()) for name in NEEDED):
            raise
        problem = f"{error}; where its first line is a question already, write a line with the names above it"
        raise DataError(problem) from error


def _first(text: str) -> str:
    """The first line that is not blank."""
    begin, end = first_line(text)
    return text[begin:end]


def _header_hint(text: str) -> tuple[int, str | None]:
    """Where a table begins: behind the line `sep=;`, which spreadsheets read the delimiter from; and that delimiter."""
    end = text.find("\n") + 1
    hint = text[:end].strip() if end <= _LONGEST_HINT else ""
    return (end, hint[4]) if len(hint) == 5 and hint.startswith("sep=") else (0, None)


def _check_width(path: Path, text: str, mark: str, begin: int) -> None:
    """Count the columns before there is a cell for each of them."""
    visible = _VISIBLE.search(text, begin)
    start = begin if visible is None else max(begin, text.rfind("\n", begin, visible.start()) + 1)
    end = text.find("\n", start if visible is None else visible.start())
    number = text.count(mark, start, len(text) if end < 0 else end) + 1
    if number > _MAX_COLUMNS:
        raise DataError(f"{path}: its first line has {number:,} cells, and a table may have {_MAX_COLUMNS:,} columns.")


def _cells_of(line: str, mark: str) -> list[str]:
    """The cells of a line; none where they are more than any table's."""
    if line.count(mark) >= _MAX_COLUMNS:
        return []
    try:
        return [cell.strip() for cell in next(csv.reader([line.rstrip("\r")], delimiter=mark), [])]
    except csv.Error:
        return []


def _delimiter(path: Path, text: str, columns: Columns) -> str:
    begin, end = first_line(text)
    if end - begin > MAX_LINE_BYTES:
        raise DataError(f"{path}: its first line has {end - begin:,} characters; is it a table?")
    first = text[begin:end]
    called = set(theirs(columns).values())
    usual = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","

    def likelihood(mark: str) -> tuple[int, bool, int]:
        cells = _cells_of(first, mark)
        return len(called.intersection(cells)), mark == usual and len(cells) > 1, len(cells)

    return max(_DELIMITERS, key=likelihood)


def _rows(path: Path, text: str, mark: str, begin: int) -> Iterator[tuple[int, list[str]]]:
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
    )
    while True:
        try:
            with _long_cells():
                cells = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{path}: line {reader.line_num}: this is no row of a table ({error}); quote texts that hold the "
                'delimiter, a line end or a quotation mark, which is written twice ("")'
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


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
        if end - begin > MAX_LINE_BYTES or text.count(mark, begin, end) > _MAX_COLUMNS + MAX_TEXT:
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
