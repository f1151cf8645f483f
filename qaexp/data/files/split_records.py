"""The records of a split, and the sha256 of what it holds: from one file, or from its shards one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from qaexp.data.files.columns import Surveyed, survey
from qaexp.data.files.compression import suffix_of
from qaexp.data.files.contents import BINARY_SUFFIXES, check_content
from qaexp.data.files.delimited import SUFFIXES
from qaexp.data.files.layouts import flat_records
from qaexp.data.files.names import KNOWN
from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.records import read_records, read_regular_file
from qaexp.data.files.shards import Shards
from qaexp.data.files.streamed import streamed_records
from qaexp.data.files.streams import NotStreamedError, is_large, stream_sha256
from qaexp.data.files.tables import different_columns, table_rows
from qaexp.errors import DataError, collected
from qaexp.storage.hashes import remembered_hash

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class OpenedSplit:
    """A split that was looked at as a whole, and not read yet.

    Attributes:
        sha256: Of what its file holds; of several shards, of their sha256 in order. Names and folders do not count.
        shards: The sha256 of each shard by its name; nothing where the split is one file.
        records: Its questions.
    """

    sha256: str
    shards: dict[str, str]
    records: Iterator[Record]


def content_sha256(shards: Shards) -> str:
    """Return what identifies the content of a split.

    Raises:
        DataError: A file cannot be read, or two shards hold the same; all such files are named.
    """
    return _combined(_hashes(shards))


def open_split(shards: Shards, reading: Reading, *, is_streamed: bool = False) -> OpenedSplit:
    """Look at the files of a split.

    Args:
        shards: The files.
        reading: How they are read.
        is_streamed: Whether texts are read some megabytes at a time; a NotStreamedError may come with any record then.

    Raises:
        DataError: As `content_sha256`; or a shard of a table lacks columns or claims too much. What is wrong with a
            question comes when the records are taken.
    """
    if shards.is_one and is_streamed:
        stamp, sha256 = _stamp(shards.name), content_sha256(shards)
        return OpenedSplit(sha256, {}, _unchanged(shards.name, stamp, streamed_records(shards.name, reading)))
    if shards.is_one:
        content = read_regular_file(shards.name)
        return OpenedSplit(hashlib.sha256(content).hexdigest(), {}, read_records(shards.name, content, reading))
    stamps = {path: _stamp(path) for path in shards.paths}
    hashes = _hashes(shards)
    named = {label: hashes[path] for path, label in shards.labels().items()}
    if suffix_of(shards.paths[0]) in BINARY_SUFFIXES:
        return OpenedSplit(_combined(hashes), named, _table_records(shards, stamps, reading))
    if is_streamed and suffix_of(shards.paths[0]) not in SUFFIXES:
        return OpenedSplit(_combined(hashes), named, _streamed_shards(shards, stamps, reading))
    return OpenedSplit(_combined(hashes), named, _text_records(shards, hashes, reading))


def _hashes(shards: Shards) -> dict[Path, str]:
    """The sha256 of each file's content, of which none may be there twice."""
    hashes: dict[Path, str] = {}
    seen: dict[str, Path] = {}
    problems: list[str] = []
    for path in shards.paths:
        with collected(problems, DataError):
            hashes[path] = _sha256(path)
            first = seen.setdefault(hashes[path], path)
            if first is not path:
                problems.append(f"{path} holds the same as {first}; leave one of them out.")
    if problems:
        raise DataError(*problems)
    return hashes


def _sha256(path: Path) -> str:
    return remembered_hash(path, "content", lambda: _read_sha256(path))


def _read_sha256(path: Path) -> str:
    if is_large((path,)):
        # What is wrong with a file is told when it is read whole.
        with suppress(NotStreamedError):
            return stream_sha256(path)
    return hashlib.sha256(read_regular_file(path)).hexdigest()


def _combined(hashes: dict[Path, str]) -> str:
    found = list(hashes.values())
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def _table_records(shards: Shards, stamps: dict[Path, Stamp], reading: Reading) -> Iterator[Record]:
    """The rows of parquet or Arrow shards, which `datasets` opens by their paths."""
    surveyed: list[Surveyed] = []
    problems: list[str] = []
    for path in shards.paths:
        with collected(problems, DataError):
            surveyed.append(_surveyed(path, reading))
    if problems:
        raise DataError(*problems)
    labels = shards.labels()
    rows = ((f"{labels[path]}: row {number}: ", row) for path, number, row in table_rows(surveyed))
    yield from flat_records(rows, reading)
    if changed := [path for path, stamp in stamps.items() if _stamp(path) != stamp]:
        raise _changed(changed[0])


def _surveyed(path: Path, reading: Reading) -> Surveyed:
    content = read_regular_file(path)
    check_content(path, content)
    return survey(path, content, reading.columns, wants_answers=reading.wants_answers)


def _streamed_shards(shards: Shards, stamps: dict[Path, Stamp], reading: Reading) -> Iterator[Record]:
    """The questions of large shards, each read as a file of its own would be."""
    for path, label in shards.labels().items():
        part = replace(reading, shard=str(path), base=f"{label}: ")
        yield from _unchanged(path, stamps[path], streamed_records(path, part))


def _unchanged(path: Path, stamp: Stamp, records: Iterator[Record]) -> Iterator[Record]:
    """The records of a file that nobody may write to meanwhile."""
    yield from records
    if _stamp(path) != stamp:
        raise _changed(path)


def _text_records(shards: Shards, hashes: dict[Path, str], reading: Reading) -> Iterator[Record]:
    """The questions of shards that are texts, each read as a file of its own would be."""
    is_table = suffix_of(shards.paths[0]) in SUFFIXES
    first: tuple[Path, set[str]] | None = None
    for path, label in shards.labels().items():
        content = read_regular_file(path)
        if hashlib.sha256(content).hexdigest() != hashes[path]:
            raise _changed(path)
        found = read_records(path, content, replace(reading, shard=str(path), base=f"{label}: "))
        if is_table and (head := next(found, None)) is not None:
            found = chain([head], found)
            first = _alike(first, (path, set(KNOWN).intersection(head.fields)))
        yield from found


def _alike(first: tuple[Path, set[str]] | None, other: tuple[Path, set[str]]) -> tuple[Path, set[str]]:
    """Return the columns of the first table, which the others must have too."""
    if first is not None and first[1] != other[1]:
        raise different_columns(*other, *first)
    return first or other


def _stamp(path: Path) -> Stamp:
    """What changes when a file is written to."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path and its permissions.") from error
    return status.st_size, status.st_mtime_ns, status.st_ino


def _changed(path: Path) -> DataError:
    return DataError(f"{path} changed while it was read; start again when nobody writes to it.")
