"""Shards of parquet files or Arrow streams as one table, opened by `datasets`: parquet is streamed, Arrow is mapped.

Each shard was held against the limits of `columns` before it comes here: a library believes what a file claims.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from qaexp.data.files.batch_rows import batch_rows
from qaexp.data.files.columns import Surveyed, refused
from qaexp.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_AT_ONCE, _BYTES_AT_ONCE = 2048, 64 * 2**20


def table_rows(shards: Sequence[Surveyed]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """Yield the rows of all shards, each with its shard and its number there, from 1.

    Args:
        shards: At least one; all are parquet files, or all are Arrow streams.

    Raises:
        DataError: The columns of the shards differ, or the shards are not what they were when they were surveyed.
    """
    schema = common_schema(shards)
    first = shards[0].path
    is_parquet = first.suffix.lower() == ".parquet"
    tables = _streamed(shards, schema) if is_parquet else _mapped(shards, schema.names)
    with refused(first.parent, first.suffix[1:]):
        for shard, done, batch in _parts(tables, shards):
            for number, row in enumerate(batch_rows(shard.path, batch), start=done + 1):
                yield shard.path, number, row


def common_schema(shards: Sequence[Surveyed]) -> pa.Schema:
    """Return the types that hold the values of all shards: numbers of any width, and columns that are empty somewhere.

    Raises:
        DataError: A shard has other columns, or one of a type that does not go with the others'.
    """
    import pyarrow as pa

    first = shards[0]
    common = _plain(first.schema)
    for shard in shards[1:]:
        if set(shard.schema.names) != set(common.names):
            raise different_columns(shard.path, shard.schema.names, first.path, first.schema.names)
        try:
            common = pa.unify_schemas([common, _plain(shard.schema)], promote_options="permissive")
        except pa.ArrowException as error:
            mine, others = _differing(_plain(shard.schema), common)
            raise DataError(
                f"{shard.path} has the column {mine}, and the shards before it {others}; write all shards of a split "
                "with the same types"
            ) from error
    return common


def different_columns(path: Path, found: Iterable[str], first: Path, wanted: Iterable[str]) -> DataError:
    """The fault of a shard that has other columns than the first one."""
    return DataError(
        f"{path} has the columns {', '.join(sorted(found))}, and {first} has {', '.join(sorted(wanted))}; write all "
        "shards of a split with the same columns"
    )


def _differing(one: pa.Schema, other: pa.Schema) -> tuple[str, str]:
    """A column of two schemas whose types do not go together, with both types."""
    import pyarrow as pa

    for name in one.names:
        try:
            pa.unify_schemas([_only(one, name), _only(other, name)], promote_options="permissive")
        except pa.ArrowException:
            return f"{name} of the type {one.field(name).type}", str(other.field(name).type)
    raise AssertionError("the types of every column go together")


def _only(schema: pa.Schema, name: str) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name)])


def _plain(schema: pa.Schema) -> pa.Schema:
    """The types of a schema's values, where texts that repeat are stored once, too."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _value_type(field.type)) for field in schema])


def _value_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        return _value_type(kind.value_type)
    if types.is_struct(kind):
        fields = map(kind.field, range(kind.num_fields))
        return pa.struct([pa.field(field.name, _value_type(field.type)) for field in fields])
    if types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return make(_value_type(kind.value_type))
    return kind


def _streamed(shards: Sequence[Surveyed], schema: pa.Schema) -> Iterator[pa.Table]:
    """Read parquet shards one after the other, a few rows at a time, cast to one schema.

    What files say of themselves beside their types is not believed: a feature may be one that opens addresses.
    """
    if chained := next((shard.path for shard in shards if "::" in str(shard.path.absolute())), None):
        raise DataError(f"{chained} has '::' in its path, which the reader of shards takes for an address; rename it")
    at_once = _rows_at_once(shards)
    with _quiet_datasets() as datasets, TemporaryDirectory(prefix="qaexp-") as folder:
        rows = datasets.load_dataset(
            "parquet",
            data_files=[glob.escape(str(shard.path.absolute())) for shard in shards],
            split="train",
            streaming=True,
            columns=schema.names,
            features=datasets.Features.from_arrow_schema(schema),
            batch_size=at_once,
            cache_dir=folder,  # it locks a file there
        )
        yield from rows.with_format("arrow").iter(batch_size=at_once)


def _mapped(shards: Sequence[Surveyed], names: Sequence[str]) -> Iterator[pa.Table]:
    """Map Arrow shards into memory one after the other."""
    with _quiet_datasets() as datasets:
        for shard in shards:
            table = datasets.table.MemoryMappedTable.from_file(str(shard.path)).select(names)
            for first in range(0, table.num_rows, _MOST_AT_ONCE):
                yield table.fast_slice(first, _MOST_AT_ONCE)


def _rows_at_once(shards: Sequence[Surveyed]) -> int:
    """How many rows are unpacked at a time: a text that is stored once may be that of every row."""
    return min(_MOST_AT_ONCE, max(1, _BYTES_AT_ONCE // max(1, *(shard.longest for shard in shards))))


@contextmanager
def _quiet_datasets() -> Iterator[Any]:
    """Import `datasets` (about a second) and keep its log and its bars off the screen."""
    import datasets

    verbosity, bars = datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()


def _parts(tables: Iterator[pa.Table], shards: Sequence[Surveyed]) -> Iterator[tuple[Surveyed, int, pa.RecordBatch]]:
    """Cut the rows of a table where a shard ends.

    Yields:
        The shard, how many of its rows came before, and some more of its rows.

    Raises:
        ValueError: There are more rows, or fewer, than the shards had.
    """
    waiting = iter(shards)
    shard = next(waiting)
    done = 0
    for batch in (batch for table in tables for batch in table.to_batches()):
        while batch.num_rows:
            while done == shard.num_rows:
                if (following := next(waiting, None)) is None:
                    raise ValueError("there are more rows than when the shards were checked")
                shard, done = following, 0
            part = batch.slice(0, shard.num_rows - done)
            yield shard, done, part
            done += part.num_rows
            batch = batch.slice(part.num_rows)
    if done < shard.num_rows or any(one.num_rows for one in waiting):
        raise ValueError("there are fewer rows than when the shards were checked")
