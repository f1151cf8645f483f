"""Tables as text: CSV and TSV as Python's csv, pandas and spreadsheets write them, one question a row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qaexp.data.files.cells import read_cells
from qaexp.data.files.compression import suffix_of
from qaexp.data.files.json_text import MAX_LINE_BYTES, first_line
from qaexp.data.files.names import NEEDED, Columns, check_names, guess, theirs
from qaexp.data.files.quoting import MAX_COLUMNS, split_rows
from qaexp.errors import DataError

SUFFIXES = (".csv", ".tsv", ".tab")
_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_HINT = 16
_VISIBLE = re.compile(r"\S")


def looks_delimited(path: Path, text: str, columns: Columns) -> bool:
    """Whether a text is a table: by its suffix, or because its first line has the columns of questions."""
    if suffix_of(path) in SUFFIXES:
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
    rows = split_rows(path, text, mark, begin)
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
    if number > MAX_COLUMNS:
        raise DataError(f"{path}: its first line has {number:,} cells, and a table may have {MAX_COLUMNS:,} columns.")


def _cells_of(line: str, mark: str) -> list[str]:
    """The cells of a line; none where they are more than any table's."""
    if line.count(mark) >= MAX_COLUMNS:
        return []
    try:
        return [
            cell.strip() for cell in next(csv.reader([line.rstrip("\r")], delimiter=mark, skipinitialspace=True), [])
        ]
    except csv.Error:
        return []


def _delimiter(path: Path, text: str, columns: Columns) -> str:
    begin, end = first_line(text)
    if end - begin > MAX_LINE_BYTES:
        raise DataError(f"{path}: its first line has {end - begin:,} characters; is it a table?")
    first = text[begin:end]
    called = set(theirs(columns).values())
    usual = "\t" if suffix_of(path) in (".tsv", ".tab") else ","

    def likelihood(mark: str) -> tuple[int, bool, int]:
        cells = _cells_of(first, mark)
        return len(called.intersection(cells)), mark == usual and len(cells) > 1, len(cells)

    return max(_DELIMITERS, key=likelihood)
