"""From a batch of columns to Python objects, a few at a time where texts are long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.data.files.validation import MAX_TEXT
from qaexp.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 256
# Rows with texts of such a size become objects one by one.
_LONG_TEXT = 2**20
_MAX_ANSWERS = 10_000


def batch_rows(path: Path, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield a batch as Python objects, few at a time where texts are long."""
    size = 1 if longest_text(path, batch) > _LONG_TEXT else ROWS_AT_ONCE
    for first in range(0, batch.num_rows, size):
        yield from batch.slice(first, size).to_pylist()


def longest_text(path: Path, batch: pa.RecordBatch) -> int:
    """The bytes of the longest text in a batch.

    Raises:
        DataError: A text, or a list, is longer than any that is read.
    """
    return max((_longest(column, path) for column in batch.columns), default=0)


def _longest(values: pa.Array, path: Path) -> int:
    """The bytes of the longest text in an array, nested ones too; lists and texts beyond any limit are refused."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = values.type
    if types.is_struct(kind):
        return max((_longest(values.field(index), path) for index in range(kind.num_fields)), default=0)
    if types.is_list(kind) or types.is_large_list(kind):
        most = pc.max(pc.list_value_length(values)).as_py() or 0
        if most > _MAX_ANSWERS:
            raise DataError(
                f"{path} has a row with {most:,} answers, and at most {_MAX_ANSWERS:,} are read; correct it"
            )
        return _longest(values.flatten(), path)
    texts = values.dictionary if isinstance(values, pa.DictionaryArray) else values
    if not (types.is_string(texts.type) or types.is_large_string(texts.type)):
        return 0
    longest: int = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > 4 * MAX_TEXT:
        raise DataError(f"{path} has a text of {longest:,} bytes, and at most {4 * MAX_TEXT:,} are read; split it")
    return longest
