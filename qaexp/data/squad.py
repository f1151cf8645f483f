"""The SQuAD data model and its reader: any file that holds questions, validated as it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

from qaexp.data.files.golds import Found, gold_answers, says_something
from qaexp.data.files.keys import peek
from qaexp.data.files.names import check_columns, no_answers
from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.shards import Shards, find_shards
from qaexp.data.files.split_records import open_split
from qaexp.data.files.validation import MAX_ID_LENGTH, MAX_SHOWN, EnoughFaultsError, Faults, describe
from qaexp.errors import DataError

MAX_EXACT = 2**53
"""Up to here every whole number is a floating point number of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer: `context[start_char:end_char] == text` (end exclusive)."""

    text: str
    start_char: int

    @property
    def end_char(self) -> int:
        """The first character after the answer."""
        return self.start_char + len(self.text)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its context and its gold answers; none of them means unanswerable."""

    id: str
    title: str
    context: str
    question: str
    answers: tuple[Answer, ...]

    @property
    def is_impossible(self) -> bool:
        """Whether the context does not answer the question."""
        return not self.answers

    @property
    def golds(self) -> tuple[str, ...]:
        """The texts of the gold answers."""
        return tuple(answer.text for answer in self.answers)


@dataclass(frozen=True, slots=True)
class SquadFile:
    """What a data file held, and what had to be done to it.

    `squad_version` is `v1` when the file knows no unanswerable questions. `problems` has one line for each example that
    was skipped or fixed, up to a thousand. `sha256` is that of the file's content, unpacked where it is compressed; of
    several shards it is that of their sha256, which `shards` has by their names. The three before that count what was
    read in another spelling: ids that were numbers, ids that were made since no question has one, and answers that said
    that there is none.
    """

    examples: tuple[Example, ...]
    squad_version: str
    sha256: str
    num_skipped: int
    num_fixed: int
    num_duplicates: int
    problems: tuple[str, ...]
    num_number_ids: int = 0
    num_made_ids: int = 0
    num_blank_answers: int = 0
    shards: Mapping[str, str] = field(default_factory=dict)


def paragraph_id(context: str) -> str:
    """Name a context by its content: the first 16 hex digits of the sha256 of its UTF-8 bytes.

    >>> paragraph_id("")
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(context.encode()).hexdigest()[:16]


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
    faults = reading.faults
    read = _Read(sha256[:8], reading.wants_answers, faults.on_bad == "skip")
    # Of a file with so many faults those that were found are told.
    with suppress(EnoughFaultsError):
        for record in read.noted(records, path):
            read.take(record, faults)
    faults.raise_refused()
    if not read.examples and (doubt := read.doubt or faults.doubt) is not None:
        raise doubt
    if not read.examples:
        raise DataError(*faults.problems[:MAX_SHOWN], f"{path} holds no usable question; give a file that has some.")
    return SquadFile(
        tuple(read.examples.values()),
        "v2" if read.is_v2 else "v1",
        sha256,
        faults.num_skipped,
        faults.num_fixed,
        read.num_duplicates,
        tuple(faults.problems),
        num_number_ids=read.num_number_ids,
        num_made_ids=read.num_made_ids,
        num_blank_answers=read.num_blank_answers,
    )


@dataclass(slots=True)
class _Read:
    """The examples of a file so far, by id."""

    file_key: str
    wants_answers: bool
    may_skip: bool
    doubt: DataError | None = None
    examples: dict[str, Example] = field(default_factory=dict)
    makes_ids: bool = False
    num_peeked: int = 0
    num_duplicates: int = 0
    is_v2: bool = False
    num_records: int = 0
    num_number_ids: int = 0
    num_made_ids: int = 0
    num_blank_answers: int = 0

    def noted(self, records: Iterator[Record], path: Path) -> Iterator[Record]:
        """The records, of which the first are looked at: do they have ids, and answers?

        Raises:
            DataError: Answers are needed, and the first have none; where faulty ones are skipped, a later one may.
        """
        first = peek(records, attrgetter("fields"))
        self.num_peeked = len(first)
        self.makes_ids = bool(first) and all(record.fields.get("id") is None for record in first)
        if first and self.wants_answers and not any(map(says_something, first)):
            seen = f"{first[0].prefix}answers is missing, and so it is in the first {len(first):,}"
            self.doubt = DataError(no_answers(path, seen))
            if not self.may_skip:
                raise self.doubt
        return chain(first, records)

    def take(self, record: Record, faults: Faults) -> None:
        """Add the example of a record, or note what is wrong with it."""
        self.num_records += 1
        example = self._example(record, faults)
        self.is_v2 |= "is_impossible" in record.fields or (example is not None and example.is_impossible)
        faults.num_skipped += example is None
        if example is not None and self.examples.setdefault(example.id, example) is not example:
            self.num_duplicates += 1
            first = self.examples[example.id]
            if first != example:
                sentence = f"is {describe(example.id)}, which another question of the file has too; ids must be unique"
                if (first.question, first.context) == (example.question, example.context):
                    sentence = (
                        f"is {describe(example.id)}, and its question stands in the file with other answers too; ids "
                        "must be unique: give all answers of a question in one place"
                    )
                faults.tell(f"{record.prefix}id", sentence, is_fatal=True)

    def _example(self, record: Record, faults: Faults) -> Example | None:
        """Return the example of a record, or None when anything is wrong with it."""
        fields, prefix = record.fields, record.prefix
        id = self._id(fields, prefix, faults)
        if id is not None and not 0 < len(id) <= MAX_ID_LENGTH:
            faults.tell(f"{prefix}id", f"has {len(id)} characters, it must have 1 to {MAX_ID_LENGTH}")
            id = None
        question = faults.text(fields, "question", prefix)
        found: Found | None = gold_answers(record, faults) if self.wants_answers else Found()
        if id is None or question is None or found is None or record.title is None or record.context is None:
            return None
        self.num_blank_answers += found.is_blank
        answers = tuple(Answer(text, start_char) for text, start_char in found.answers)
        return Example(id, record.title, record.context, question, answers)

    def _id(self, fields: dict[str, Any], prefix: str, faults: Faults) -> str | None:
        """The id of a question: its text, the digits of a whole number, or a made one where no question has any."""
        value = fields.get("id")
        if self.makes_ids and value is None:
            self.num_made_ids += 1
            return f"q{self.num_records}-{self.file_key}"
        if self.makes_ids:
            faults.tell(f"{prefix}id", f"is {describe(value)}, and the first {self.num_peeked:,} questions have no id")
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            self.num_number_ids += 1
            return str(value)
        return faults.text(fields, "id", prefix)
