"""A file of scores as columns: which texts and numbers it holds, and an error for what cannot be read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from qaexp.comparison.statistics.difference import Floats
from qaexp.errors import IntegrityError
from qaexp.runs.metrics import SCORE_COLUMNS
from qaexp.storage.reading import MAX_TABLE_BYTES, check_cells, read_bytes

TEXTS = ("id", "title", "paragraph", "question_word")


def score_table(path: Path) -> Any:
    """The columns of a table of scores as pyarrow reads them: a thousand runs in a second.

    Raises:
        IntegrityError: The file is missing, too large, or no table.
    """
    import pyarrow as pa
    from pyarrow import csv

    try:
        data = read_bytes(path, MAX_TABLE_BYTES)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing") from None
    check_cells(path, data.count(b"\n"), data.count(b","))
    types = {**dict.fromkeys(TEXTS, pa.string()), **dict.fromkeys(SCORE_COLUMNS, pa.float64())}
    try:
        table = csv.read_csv(
            io.BytesIO(data.replace(b"\0", b"")),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
        table.column_names  # noqa: B018 (pyarrow decodes the names on access)
    except pa.ArrowException as error:
        raise IntegrityError(f"{path}: {str(error).splitlines()[0]}") from error
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: the names of its columns are not UTF-8") from error
    return table


def floats(column: Any) -> Floats:
    """A column of float64 without gaps as an array; pyarrow's own way imports pandas, which takes half a second."""
    chunk = column.combine_chunks()
    return np.frombuffer(chunk.buffers()[1], np.float64, count=len(chunk), offset=8 * chunk.offset)


def numbers(table: Any, name: str) -> Floats | None:
    """An optional column; None if it is missing or holds anything but numbers."""
    import pyarrow as pa

    if name not in table.column_names or table.column(name).null_count:
        return None
    column = table.column(name)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return None
    return floats(column.cast(pa.float64()))
