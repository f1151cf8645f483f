"""Reading one stored file that anybody may have written: no links, no pipes, nothing huge, no torn records.

A byte may become a hundred in memory, so what a file's text becomes is counted before it is parsed: rows, cells, and
lists and objects.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.storage.formats import csv_rows, json_reason

MEBIBYTE = 2**20
MAX_JSON_BYTES = 64 * MEBIBYTE
MAX_TABLE_BYTES = 1024 * MEBIBYTE
MAX_ROWS = 2_000_000
MAX_CELLS = 30_000_000
MAX_LINE_BYTES = 16 * MEBIBYTE
MAX_NESTED = 5_000_000


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
            # Room is made for as many bytes as are asked for: the limit itself would take a gibibyte.
            return file.read(status.st_size)
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


def read_small(path: Path) -> tuple[dict[str, Any] | None, str | None]:
    """What a JSON file holds, and what is wrong with it; None twice when there is none."""
    try:
        return read_json(path), None
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
        if len(line) > MAX_LINE_BYTES:
            raise IntegrityError(
                f"{path}: line {number} has {len(line) // MEBIBYTE} MiB, more than the {MAX_LINE_BYTES // MEBIBYTE} "
                "that a record may have; refused"
            )
        text = line.strip(b"\0\r\t \xef\xbb\xbf")
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


def read_table(path: Path, text_columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows of a CSV file; cells are numbers or None, but texts in columns that begin with a given word."""
    text = read_text(path, MAX_TABLE_BYTES)
    check_cells(path, text.count("\n"), text.count(","))
    try:
        rows = csv_rows(text)
        return [
            {name: cell if name.startswith(text_columns) else _number(cell) for name, cell in row.items()}
            for row in rows
        ]
    except IntegrityError:
        raise
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
