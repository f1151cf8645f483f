"""Rows of parquet files and Arrow streams: what they claim is held against limits before any of it is unpacked.

A few bytes may stand for millions of rows, or for texts of gigabytes. So rows and values are counted from the schema,
the footer and the lengths in a batch, and rows become Python objects some at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.data.files.batch_headers import is_compressed
from qaexp.data.files.batch_rows import ROWS_AT_ONCE, batch_rows, longest_text
from qaexp.data.files.names import Columns, check_names, theirs
from qaexp.errors import DataError, QaexpError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_TEXTS = ("id", "title", "context", "question")
# A row needs an id of its own and a question: packed as well as can be they take more than these bytes.
_BYTES_OF_A_VALUE = 4
_FREE_VALUES = 300_000
_MAX_ROWS = 20_000_000
# Text packs to a tenth at best; texts that rows share are already counted once.
_MAX_UNPACKED, _FREE_UNPACKED, _MAX_RATIO = 8 * 2**30, 64 * 2**20, 100


def column_rows(
    path: Path, content: bytes, columns: Columns | None = None, *, wants_answers: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet file or an Arrow stream, with those of our columns that it has.

    Args:
        path: The file; its suffix says which of the two it is.
        content: Its bytes.
        columns: What our columns are called there, where they have other names.
        wants_answers: Whether a file without answers is refused.

    Raises:
        DataError: It cannot be read, lacks columns, or claims more than a file of its size holds.
    """
    with refused(path, path.suffix[1:]):
        wanted = _Wanted(path, columns or {}, wants_answers)
        batches = _parquet(wanted, content) if path.suffix.lower() == ".parquet" else _arrow(wanted, content)
        for batch in batches:
            yield from batch_rows(path, batch)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A file that was read once, and is within the limits.

    Attributes:
        path: The file.
        schema: The types of our columns, without what the file says of itself beside them.
        num_rows: How many it has.
        longest: The bytes of its longest text.
    """

    path: Path
    schema: pa.Schema
    num_rows: int
    longest: int


def survey(path: Path, content: bytes, columns: Columns, *, wants_answers: bool) -> Surveyed:
    """Read a file, and make no Python objects of its rows; the arguments and errors are those of `column_rows`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with refused(path, path.suffix[1:]):
        wanted = _Wanted(path, columns, wants_answers)
        is_parquet = path.suffix.lower() == ".parquet"
        num_rows = longest = 0
        for batch in _parquet(wanted, content) if is_parquet else _arrow(wanted, content):
            num_rows += batch.num_rows
            longest = max(longest, longest_text(path, batch))
        source = pa.BufferReader(content)
        schema = pq.read_schema(source) if is_parquet else pa.ipc.open_stream(source).schema
        fields = [pa.field(name, schema.field(name).type) for name in _columns(wanted, schema)]
        return Surveyed(path, pa.schema(fields), num_rows, longest)


@contextmanager
def refused(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow says of a file into a fault of the data.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        if isinstance(error, QaexpError):
            raise
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read as {kind}: {reason}; is the file complete?") from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The file, and which of its columns are ours."""

    path: Path
    columns: Columns
    needs_answers: bool

    def texts(self, schema: pa.Schema, names: list[str]) -> list[str]:
        """The columns that hold texts which rows may share."""
        from pyarrow import types

        ours = {theirs(self.columns)[name] for name in _TEXTS}
        plain = (types.is_string, types.is_large_string)
        return [name for name in names if name in ours and any(is_text(schema.field(name).type) for is_text in plain)]


def _parquet(wanted: _Wanted, content: bytes) -> Iterator[pa.RecordBatch]:
    file, names = _opened(wanted, content)
    told, num_rows = 0, file.metadata.num_rows
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=names):
        told += batch.num_rows
        if told > num_rows:
            raise DataError(f"{wanted.path} has more rows than its footer says ({num_rows:,}); export it again")
        yield batch


def _opened(wanted: _Wanted, content: bytes) -> tuple[pq.ParquetFile, list[str]]:
    """Open a parquet file whose claims are within limits; and the names of our columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, schema = wanted.path, pq.read_schema(pa.BufferReader(content))
    names = _columns(wanted, schema)
    # Equal texts of a column stay one text in memory, as they are in the file.
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=wanted.texts(schema, names))
    num_rows, num_values, num_bytes = _claims(file.metadata, names)
    _check_claims(path, len(content), num_rows, num_values)
    limit = min(_MAX_UNPACKED, _FREE_UNPACKED + _MAX_RATIO * len(content))
    if num_bytes > limit:
        raise DataError(
            f"{path} has {len(content):,} bytes and says that it unpacks to {num_bytes / 2**20:,.0f} MiB; of such a "
            f"file at most {limit / 2**20:,.0f} MiB are read: split it, or write it without repeated texts"
        )
    return file, names


def _claims(metadata: pq.FileMetaData, names: list[str]) -> tuple[int, int, int]:
    """Rows, the most values in one column, and unpacked bytes of our columns, as the footer tells them."""
    num_values: dict[str, int] = {}
    num_bytes = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema.partition(".")[0] in names:
                num_values[column.path_in_schema] = num_values.get(column.path_in_schema, 0) + column.num_values
                num_bytes += column.total_uncompressed_size
    return metadata.num_rows, max(num_values.values(), default=0), num_bytes


def _arrow(wanted: _Wanted, content: bytes) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    path = wanted.path
    if is_compressed(content):
        raise DataError(
            f"{path} has compressed batches, whose size is not known before they are unpacked; write the stream "
            "without compression, or as parquet"
        )
    stream = pa.ipc.open_stream(pa.BufferReader(content))
    names = _columns(wanted, stream.schema)
    num_rows = 0
    for batch in stream:
        num_rows += batch.num_rows
        _check_claims(path, len(content), num_rows, num_rows)
        # Offsets of a stream that lies lead out of its buffers.
        batch.validate(full=True)
        yield batch.select(names)


def _columns(wanted: _Wanted, schema: pa.Schema) -> list[str]:
    """The names of our columns, of which none that is needed is missing, and none is of a type that hides its size."""
    path = wanted.path
    check_names(path, schema.names, wanted.columns, wants_answers=wanted.needs_answers)
    names = [name for name in theirs(wanted.columns).values() if name in schema.names]
    for name in names:
        if schema.names.count(name) > 1:
            raise DataError(f"{path} has the column {name} more than once; export it again")
        if not _is_plain(schema.field(name).type):
            raise DataError(
                f"{path} has the column {name} of the type {str(schema.field(name).type)[:100]}; write it as texts, "
                "numbers, and lists and structs of them"
            )
    return names


def _is_plain(kind: pa.DataType) -> bool:
    """Is it text, a number, or lists and structs of them, whose values take memory of their own?

    No views, runs, unions or lists of a fixed length; no dates, of which Python cannot hold all.
    """
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type) and not types.is_nested(kind.value_type)
    if types.is_struct(kind):
        return all(_is_plain(kind.field(index).type) for index in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(is_text or is_number or types.is_null(kind))


def _check_claims(path: Path, num_bytes: int, num_rows: int, num_values: int) -> None:
    limit = _FREE_VALUES + num_bytes // _BYTES_OF_A_VALUE
    if max(num_rows, num_values) > limit:
        raise DataError(
            f"{path} has {num_bytes:,} bytes and says that it holds {num_rows:,} rows and up to "
            f"{max(num_rows, num_values):,} values in a column; a file of this size is read up to {limit:,}: write it "
            "without repeated rows"
        )
    if num_rows > _MAX_ROWS:
        raise DataError(f"{path} has {num_rows:,} rows, and at most {_MAX_ROWS:,} are read; split it")
