"""Reading one stored file that anybody may have written: no links, no pipes, nothing huge, no torn records.

A byte may become a hundred in memory, so what a file's text becomes is counted before it is parsed: rows, cells, and
lists and objects.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.storage.columns import Columns
from qaexp.storage.formats import each_csv_row, json_reason

MEBIBYTE = 2**20
MAX_JSON_BYTES = 64 * MEBIBYTE
MAX_TABLE_BYTES = 1024 * MEBIBYTE
# Of a file that is never held as a whole.
MAX_STREAM_BYTES = 64 * 1024 * MEBIBYTE
MAX_ROWS = 2_000_000
MAX_CELLS = 30_000_000
MAX_LINE_BYTES = 16 * MEBIBYTE
MAX_NESTED = 5_000_000

_BLANKS = b"\0\r\n\t \xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a JSON lines file.

    Attributes:
        rows: The records in order.
        num_torn: Lines that were no record, as a killed writer leaves them.
        num_repeated: Records that a later one with the same key replaced.
    """

    rows: list[dict[str, Any]]
    num_torn: int = 0
    num_repeated: int = 0


def read_bytes(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """Return the content of a regular file.

    Raises:
        FileNotFoundError: When there is none.
        IntegrityError: When it is a link, a pipe, a device or a folder, may not be read, or is over `limit` bytes.
    """
    with opened_file(path, limit) as file:
        # Room is made for as many bytes as are asked for: the limit itself would take a gibibyte.
        return file.read(os.fstat(file.fileno()).st_size)


@contextmanager
def opened_file(path: Path, limit: int = MAX_STREAM_BYTES) -> Iterator[BufferedReader]:
    """Open a regular file for a body that reads it piece by piece; raises as `read_bytes` does."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise IntegrityError(f"{path}: not a regular file; refused")
            if status.st_size > limit:
                raise IntegrityError(
                    f"{path}: {status.st_size // MEBIBYTE} MiB, more than the {limit // MEBIBYTE} MiB "
                    "that such a file may have; refused"
                )
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """Return the content of a UTF-8 file, without a byte order mark; raises as `read_bytes` does."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: not UTF-8 at byte {error.start}") from error


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file; raises as `read_bytes` does, also when it holds anything else."""
    text = read_text(path, limit)
    num_nested = text.count("[") + text.count("{")
    if num_nested > MAX_NESTED:
        raise IntegrityError(f"{path}: {num_nested:,} lists and objects, more than the {MAX_NESTED:,} allowed; refused")
    try:
        value = json.loads(text)
    except RecursionError:
        raise IntegrityError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise IntegrityError(f"{path}: not JSON: {json_reason(error)}") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{path}: holds no JSON object")
    return value


def read_small(path: Path, limit: int = MAX_JSON_BYTES) -> tuple[dict[str, Any] | None, str | None]:
    """What a JSON file of at most so many bytes holds, and what is wrong with it; None twice when there is none."""
    try:
        return read_json(path, limit), None
    except FileNotFoundError:
        return None, None
    except IntegrityError as error:
        return None, str(error)


def read_json_lines(path: Path, key: str | None = None) -> Records:
    """Return the records of a JSON lines file; torn lines are dropped and counted.

    Args:
        path: The file.
        key: When given, a record must have it, and of records with the same value the last one counts.

    Raises:
        FileNotFoundError: When there is none.
        IntegrityError: As `read_bytes`, or it has more records, or a longer one, than any run writes.
    """
    rows: list[dict[str, Any]] = []
    num_torn = 0
    data = read_bytes(path, MAX_TABLE_BYTES)
    _check_rows(path, data.count(b"\n"))
    for number, line in enumerate(data.split(b"\n"), start=1):
        _check_line(path, number, line)
        text = line.strip(_BLANKS)
        if text:
            record = _record(text, key)
            if record is None:
                num_torn += 1
            else:
                rows.append(record)
    if key is None:
        return Records(rows, num_torn)
    last = {record[key]: record for record in rows}
    return Records(list(last.values()), num_torn, len(rows) - len(last))


def each_json_line(path: Path, key: str | None = None) -> Iterator[dict[str, Any] | None]:
    """Yield the records of a JSON lines file one at a time, None for a torn line; see `read_json_lines`.

    Of records with the same key all are yielded.
    """
    with opened_file(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
            _check_rows(path, number)
            _check_line(path, number, line)
            if text := line.strip(_BLANKS):
                yield _record(text, key)


def read_table(path: Path, text_columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows of a CSV file; cells are numbers or None, but texts in columns that begin with a given word."""
    return list(_each_table_row(path, text_columns))


def read_columns(path: Path, text_columns: tuple[str, ...], repeated: Collection[str]) -> Columns:
    """Return the rows of a CSV file as `read_table` does, held by columns.

    Args:
        path: The file.
        text_columns: Columns that begin with one of these words hold texts.
        repeated: Columns whose texts repeat.
    """
    table: Columns | None = None
    for row in _each_table_row(path, text_columns):
        if table is None:
            table = Columns(list(row), repeated)
        table.append(row)
    return Columns([]) if table is None else table


def _each_table_row(path: Path, text_columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    text = read_text(path, MAX_TABLE_BYTES)
    check_cells(path, text.count("\n"), text.count(","))
    try:
        for row in each_csv_row(text):
            yield {name: cell if name.startswith(text_columns) else _number(cell) for name, cell in row.items()}
    except ValueError as error:
        raise IntegrityError(f"{path}: {error}") from error


def check_cells(path: Path, num_lines: int, num_commas: int) -> None:
    """Refuse a CSV file of more rows or cells than any run writes.

    Raises:
        IntegrityError: With the number and the limit.
    """
    _check_rows(path, num_lines)
    if num_lines + num_commas > MAX_CELLS:
        raise IntegrityError(f"{path}: {num_lines + num_commas:,} cells, more than the {MAX_CELLS:,} allowed; refused")


def _check_line(path: Path, number: int, line: bytes) -> None:
    if len(line.rstrip(b"\n")) > MAX_LINE_BYTES:
        raise IntegrityError(
            f"{path}: line {number} has {len(line) // MEBIBYTE} MiB, more than the {MAX_LINE_BYTES // MEBIBYTE} "
            "that a record may have; refused"
        )


def _check_rows(path: Path, num_rows: int) -> None:
    if num_rows > MAX_ROWS:
        raise IntegrityError(f"{path}: {num_rows:,} rows, more than the {MAX_ROWS:,} that are read; refused")


def _record(line: bytes, key: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or (key is not None and not isinstance(value.get(key), str | int)):
        return None
    return value


def _number(cell: str) -> int | float | None:
    if cell == "":
        return None
    if "." in cell:
        return float(cell)
    try:
        return int(cell)
    except ValueError:
        return float(cell)
