"""Reads a data set that may be too large for memory: its examples go to the cache as they come out of the file."""

from __future__ import annotations

import hashlib
import json
import logging
from array import array
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from qaexp.data.cache_folder import default_cache_dir
from qaexp.data.files.names import check_columns
from qaexp.data.files.reading import Reading
from qaexp.data.files.shards import Shards
from qaexp.data.files.split_records import content_sha256, open_split
from qaexp.data.files.streams import NotStreamedError, is_large, num_bytes
from qaexp.data.files.validation import Faults
from qaexp.data.ondisk.entries import Contents, Entry, Size, kept_entry
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.ondisk.writing import stored_chunks
from qaexp.data.question_files import Collected, read_split
from qaexp.data.squad import Example, SquadFile

_log = logging.getLogger("qaexp")
# Raised when a change of the code reads other examples, or writes another file, for the same data.
_FORMAT = "qaexp examples 1"
_MOST_REPEATED = 20


def read_any_split(
    shards: Shards, on_bad: str = "fail", *, columns: Mapping[str, str] | None = None, cache_dir: Path | None = None
) -> SquadFile:
    """Read a split of any size; the rest is as in `read_split`.

    Examples of a large one go to the cache one after the other, where they are found the next time, and are read from
    there when they are asked for.

    Args:
        shards: The files.
        on_bad: As for `read_split`.
        columns: As for `read_split`.
        cache_dir: As for `cached_features`.

    Raises:
        ConfigError: As `read_split`.
        DataError: As `read_split`.
        StorageError: The disk has no room for the examples.
    """
    if not is_large(shards.paths):
        return read_split(shards, on_bad, columns=columns)
    entry = _entry(shards, on_bad, check_columns(columns), cache_dir or default_cache_dir())
    about = {**entry.index, "problems": tuple(entry.index["problems"])}
    examples = StoredExamples(entry)
    return SquadFile(examples.chosen(np.arange(len(examples))), **about)


def _entry(shards: Shards, on_bad: str, columns: Mapping[str, str], cache_dir: Path) -> Entry:
    sha256 = content_sha256(shards)
    # Places of faults are told with the names of files, and so are shards.
    names = [str(shards.name), *shards.labels().values()]
    settings = json.dumps([_FORMAT, sha256, names, on_bad, dict(columns)])
    key = hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()

    def build(contents: Contents, *, is_streamed: bool) -> Iterator[bytes]:
        reading = Reading(Faults(str(shards.name), on_bad), columns, wants_answers=True)
        split = open_split(shards, reading, is_streamed=is_streamed)
        found = Collected(shards.name, split.sha256, reading, _Hashed())
        yield from stored_chunks(found.examples(split.records), contents)
        contents.about = {**found.about(), "shards": split.shards}

    path, num = cache_dir / "examples" / key, num_bytes(shards.paths)
    # A context that rows repeat is stored once, so that the text may be many times larger.
    size = Size(num, num // _MOST_REPEATED)
    try:
        entry, was_there = kept_entry(path, key, partial(build, is_streamed=True), size)
    except NotStreamedError:
        entry, was_there = kept_entry(path, key, partial(build, is_streamed=False), size)
    number = len(entry.array("row_place"))
    _log.info("examples: %d %s, %s", number, "from the cache" if was_there else f"read of {shards.name}", path)
    return entry


class _Hashed:
    """Examples by the hashes of their ids; two of a million ids have the same one once in a hundred million times.

    A hash table of whole numbers of 32 bits, each the row of an example: a dictionary would take five times the room.
    """

    def __init__(self) -> None:
        self._ids, self._wholes, self._questions = array("q"), array("q"), array("q")
        self._slots = array("i", [-1]) * 2**12

    def repeated(self, example: Example) -> str | None:
        id, whole, question = hash(example.id), hash(example), hash((example.question, example.context))
        slot = self._slot(id)
        if (row := self._slots[slot]) >= 0:
            return "all" if self._wholes[row] == whole else "question" if self._questions[row] == question else "id"
        self._slots[slot] = len(self._ids)
        self._ids.append(id)
        self._wholes.append(whole)
        self._questions.append(question)
        if 2 * len(self._ids) > len(self._slots):
            self._slots = array("i", [-1]) * (2 * len(self._slots))
            for number, other in enumerate(self._ids):
                self._slots[self._slot(other)] = number
        return None

    def _slot(self, id: int) -> int:
        """The slot of a hash: the one that has it, or the free one where it belongs."""
        slots, ids, last = self._slots, self._ids, len(self._slots) - 1
        slot = id & last
        while (row := slots[slot]) >= 0 and ids[row] != id:
            slot = (slot + 1) & last
        return slot
