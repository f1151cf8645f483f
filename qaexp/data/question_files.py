"""The reader of question files of any format: validated as they are read, each id once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from qaexp.data.files.golds import Found, gold_answers, says_something
from qaexp.data.files.keys import peek
from qaexp.data.files.names import check_columns, no_answers
from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.shards import Shards, find_shards
from qaexp.data.files.split_records import open_split
from qaexp.data.files.validation import MAX_ID_LENGTH, MAX_SHOWN, EnoughFaultsError, Faults, describe
from qaexp.data.squad import Answer, Example, SquadFile
from qaexp.errors import DataError

MAX_EXACT = 2**53
"""Up to here every whole number is a floating point number of its own."""


def read_squad_file(
    path: Path, on_bad: str = "fail", *, columns: Mapping[str, str] | None = None, wants_answers: bool = True
) -> SquadFile:
    """Read and validate a data file of any format in docs/data_formats.md, or the shards of one split.

    Args:
        path: The file; or a folder, or a pattern, of shards.
        on_bad: What a faulty example does: `fail` refuses the file, `skip` leaves the example out and counts it, `fix`
            moves an answer to the one place where its text stands, in the context's spelling where that has another
            normal form of Unicode, and refuses the file for any other fault.
        columns: What our columns are called in the file, where they have other names.
        wants_answers: False: the questions alone are read, and their answers, if there are any, are not looked at.

    Raises:
        ConfigError: `on_bad` or `columns` is no legal value.
        DataError: The file cannot be read, no question is left, or faults are refused (all of them, up to 20, are told
            with their places).
    """
    return read_split(find_shards(path), on_bad, columns=columns, wants_answers=wants_answers)


def read_split(
    shards: Shards, on_bad: str = "fail", *, columns: Mapping[str, str] | None = None, wants_answers: bool = True
) -> SquadFile:
    """Read and validate files that were found before; the rest is as in `read_squad_file`."""
    reading = Reading(Faults(str(shards.name), on_bad), check_columns(columns), wants_answers)
    split = open_split(shards, reading)
    return replace(collect(shards.name, split.sha256, split.records, reading), shards=split.shards)


def collect(path: Path, sha256: str, records: Iterator[Record], reading: Reading) -> SquadFile:
    """Validate the records of a file, and make examples of them; raises as `read_squad_file` does."""
    found = Collected(path, sha256, reading, _Held())
    examples = tuple(found.examples(records))
    return found.file(examples)


class Seen(Protocol):
    """Which examples were there before, by their ids."""

    def repeated(self, example: Example) -> str | None:
        """Note an example.

        Returns:
            None where no other one had its id; else what that one has in common with it: `all` (it is the same),
            `question` (on the same context) or `id`.
        """


class _Held:
    """Examples by their ids."""

    def __init__(self) -> None:
        self._examples: dict[str, Example] = {}

    def repeated(self, example: Example) -> str | None:
        first = self._examples.setdefault(example.id, example)
        if first is example:
            return None
        is_same_question = (first.question, first.context) == (example.question, example.context)
        return "all" if first == example else "question" if is_same_question else "id"


class Collected:
    """The examples of a file, one after the other, and what had to be done to them."""

    def __init__(self, path: Path, sha256: str, reading: Reading, seen: Seen) -> None:
        """Take the file's name and content hash, how it is read, and what knows repeated ids."""
        self._path, self._sha256, self._reading, self._seen = path, sha256, reading, seen
        self._faults = reading.faults
        self._doubt: DataError | None = None
        self._makes_ids, self._is_v2 = False, False
        self._num_peeked = self._num_records = self._num_duplicates = 0
        self._num_number_ids = self._num_made_ids = self._num_blank_answers = 0

    def examples(self, records: Iterator[Record]) -> Iterator[Example]:
        """Yield the good examples, each id once.

        Raises:
            DataError: Faults are refused, or no example is good; all of them have been looked at then.
        """
        is_empty = True
        # Of a file with so many faults those that were found are told.
        with suppress(EnoughFaultsError):
            for record in self._noted(records):
                if (example := self._taken(record)) is not None:
                    is_empty = False
                    yield example
        self._faults.raise_refused()
        if is_empty and (doubt := self._doubt or self._faults.doubt) is not None:
            raise doubt
        if is_empty:
            problem = f"{self._path} holds no usable question; give a file that has some."
            raise DataError(*self._faults.problems[:MAX_SHOWN], problem)

    def file(self, examples: Sequence[Example]) -> SquadFile:
        """What the file held, once all examples have been taken."""
        return SquadFile(examples, **self.about())

    def about(self) -> dict[str, Any]:
        """The fields of `SquadFile` beside the examples, as JSON has them."""
        faults = self._faults
        return {
            "squad_version": "v2" if self._is_v2 else "v1",
            "sha256": self._sha256,
            "num_skipped": faults.num_skipped,
            "num_fixed": faults.num_fixed,
            "num_duplicates": self._num_duplicates,
            "problems": tuple(faults.problems),
            "num_number_ids": self._num_number_ids,
            "num_made_ids": self._num_made_ids,
            "num_blank_answers": self._num_blank_answers,
        }

    def _noted(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records, of which the first are looked at: do they have ids, and answers?

        Raises:
            DataError: Answers are needed, and the first have none; where faulty ones are skipped, a later one may.
        """
        first = peek(records, attrgetter("fields"))
        self._num_peeked = len(first)
        self._makes_ids = bool(first) and all(record.fields.get("id") is None for record in first)
        if first and self._reading.wants_answers and not any(map(says_something, first)):
            seen = f"{first[0].prefix}answers is missing, and so it is in the first {len(first):,}"
            self._doubt = DataError(no_answers(self._path, seen))
            if self._faults.on_bad != "skip":
                raise self._doubt
        return chain(first, records)

    def _taken(self, record: Record) -> Example | None:
        """Return the example of a record, or None, and note what is wrong with it or that it was there before."""
        self._num_records += 1
        example = self._example(record, self._faults)
        self._is_v2 |= "is_impossible" in record.fields or (example is not None and example.is_impossible)
        self._faults.num_skipped += example is None
        if example is None or (common := self._seen.repeated(example)) is None:
            return example
        self._num_duplicates += 1
        if common != "all":
            sentence = f"is {describe(example.id)}, which another question of the file has too; ids must be unique"
            if common == "question":
                sentence = (
                    f"is {describe(example.id)}, and its question stands in the file with other answers too; ids "
                    "must be unique: give all answers of a question in one place"
                )
            self._faults.tell(f"{record.prefix}id", sentence, is_fatal=True)
        return None

    def _example(self, record: Record, faults: Faults) -> Example | None:
        """Return the example of a record, or None when anything is wrong with it."""
        fields, prefix = record.fields, record.prefix
        id = self._id(fields, prefix, faults)
        if id is not None and not 0 < len(id) <= MAX_ID_LENGTH:
            faults.tell(f"{prefix}id", f"has {len(id)} characters, it must have 1 to {MAX_ID_LENGTH}")
            id = None
        question = faults.text(fields, "question", prefix)
        found: Found | None = gold_answers(record, faults) if self._reading.wants_answers else Found()
        if id is None or question is None or found is None or record.title is None or record.context is None:
            return None
        self._num_blank_answers += found.is_blank
        answers = tuple(Answer(text, start_char) for text, start_char in found.answers)
        return Example(id, record.title, record.context, question, answers)

    def _id(self, fields: dict[str, Any], prefix: str, faults: Faults) -> str | None:
        """The id of a question: its text, the digits of a whole number, or a made one where no question has any."""
        value = fields.get("id")
        if self._makes_ids and value is None:
            self._num_made_ids += 1
            return f"q{self._num_records}-{self._sha256[:8]}"
        if self._makes_ids:
            faults.tell(f"{prefix}id", f"is {describe(value)}, and the first {self._num_peeked:,} questions have no id")
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            self._num_number_ids += 1
            return str(value)
        return faults.text(fields, "id", prefix)
