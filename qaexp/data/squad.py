"""The SQuAD data model and its reader: official JSON, flat JSON lines and parquet, validated as they are read."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.data.records import Record, read_records, read_regular_file
from qaexp.data.validation import (
    MAX_ID_LENGTH,
    MAX_SHOWN,
    MISSING,
    EnoughFaultsError,
    Faults,
    OffsetFault,
    classify_offset,
    describe,
)
from qaexp.errors import DataError

MAX_ANSWERS = 10_000
"""Gold answers that one question may have."""


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
    was skipped or fixed, up to a thousand. `sha256` is that of the file's bytes.
    """

    examples: tuple[Example, ...]
    squad_version: str
    sha256: str
    num_skipped: int
    num_fixed: int
    num_duplicates: int
    problems: tuple[str, ...]


def paragraph_id(context: str) -> str:
    """Name a context by its content: the first 16 hex digits of the sha256 of its UTF-8 bytes.

    >>> paragraph_id("")
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(context.encode()).hexdigest()[:16]


def read_squad_file(path: Path, on_bad: str = "fail") -> SquadFile:
    """Read and validate a data file: SQuAD v1 or v2 JSON, or flat `.jsonl`, `.ndjson`, `.parquet`.

    Args:
        path: The file.
        on_bad: What a faulty example does: `fail` refuses the file, `skip` leaves the example out and counts it, `fix`
            moves an answer to the one place where its text stands, in the context's spelling where that has another
            normal form of Unicode, and refuses the file for any other fault.

    Raises:
        DataError: The file cannot be read, no question is left, or faults are refused (all of them, up to 20, are told
            with their places).
    """
    faults = Faults(str(path), on_bad)
    content = read_regular_file(path)
    read = _Read()
    # Of a file with so many faults those that were found are told.
    with suppress(EnoughFaultsError):
        for record in read_records(path, content, faults):
            read.take(record, faults)
    faults.raise_refused()
    if not read.examples:
        raise DataError(*faults.problems[:MAX_SHOWN], f"{path} holds no usable question; give a file that has some.")
    return SquadFile(
        tuple(read.examples.values()),
        "v2" if read.is_v2 else "v1",
        hashlib.sha256(content).hexdigest(),
        faults.num_skipped,
        faults.num_fixed,
        read.num_duplicates,
        tuple(faults.problems),
    )


@dataclass(slots=True)
class _Read:
    """The examples of a file so far, by id."""

    examples: dict[str, Example] = field(default_factory=dict)
    num_duplicates: int = 0
    is_v2: bool = False

    def take(self, record: Record, faults: Faults) -> None:
        """Add the example of a record, or note what is wrong with it."""
        example = _example(record, faults)
        self.is_v2 |= "is_impossible" in record.fields or (example is not None and example.is_impossible)
        faults.num_skipped += example is None
        if example is not None and self.examples.setdefault(example.id, example) is not example:
            self.num_duplicates += 1
            if self.examples[example.id] != example:
                faults.tell(
                    f"{record.prefix}id",
                    f"is {describe(example.id)}, which another question of the file has too; ids must be unique",
                    is_fatal=True,
                )


def _example(record: Record, faults: Faults) -> Example | None:
    """Return the example of a record, or None when anything is wrong with it."""
    fields, prefix = record.fields, record.prefix
    id = faults.text(fields, "id", prefix)
    if id is not None and not 0 < len(id) <= MAX_ID_LENGTH:
        faults.tell(f"{prefix}id", f"has {len(id)} characters, it must have 1 to {MAX_ID_LENGTH}")
        id = None
    question = faults.text(fields, "question", prefix)
    answers = _answers(record, faults)
    if id is None or question is None or answers is None or record.title is None or record.context is None:
        return None
    return Example(id, record.title, record.context, question, answers)


def _answers(record: Record, faults: Faults) -> tuple[Answer, ...] | None:
    """Return the gold answers of a record, or None when one of them is wrong or contradicts `is_impossible`."""
    raw = _answer_list(record, faults)
    is_consistent = raw is not None and _is_consistent(record, len(raw), faults)
    if raw is None or record.context is None:
        return None
    answers = [
        _answer(item, f"{record.prefix}answers[{index}].", record.context, faults) for index, item in enumerate(raw)
    ]
    found = tuple(answer for answer, _ in answers if answer is not None)
    if not is_consistent or len(found) < len(raw):
        return None
    faults.num_fixed += any(is_fixed for _, is_fixed in answers)
    return found


def _answer_list(record: Record, faults: Faults) -> list[Any] | None:
    """Return the answers as a list; flat rows may hold them as `{"text": [...], "answer_start": [...]}`."""
    raw = record.fields.get("answers", MISSING)
    if not (record.is_flat and isinstance(raw, dict)):
        return _few(faults.items(record.fields, "answers", record.prefix), record, faults)
    prefix = f"{record.prefix}answers."
    texts, starts = faults.items(raw, "text", prefix), faults.items(raw, "answer_start", prefix)
    texts = _few(texts, record, faults)
    if texts is None or starts is None:
        return None
    if len(texts) != len(starts):
        faults.tell(f"{record.prefix}answers", f"has {len(texts)} texts and {len(starts)} starts, it must have as many")
        return None
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _few(items: list[Any] | None, record: Record, faults: Faults) -> list[Any] | None:
    """The answers of a question, unless they are more than anybody gives."""
    if items is not None and len(items) > MAX_ANSWERS:
        faults.tell(f"{record.prefix}answers", f"has {len(items):,} of them, it may have {MAX_ANSWERS:,}")
        return None
    return items


def _is_consistent(record: Record, num_answers: int, faults: Faults) -> bool:
    """Whether `is_impossible` agrees with the answers; only SQuAD v1 and flat files may leave it out."""
    flag = record.fields.get("is_impossible", MISSING)
    where = f"{record.prefix}is_impossible"
    if flag is MISSING or (flag is None and record.is_flat):
        if num_answers or record.is_flat:
            return True
        faults.tell(where, "is missing and answers is empty; a question without an answer needs is_impossible: true")
    elif not isinstance(flag, bool):
        faults.mistyped(where, flag, "true or false")
    elif flag == (num_answers > 0):
        faults.tell(where, f"is {describe(flag)}, but there are {num_answers} answers")
    else:
        return True
    return False


def _answer(item: Any, prefix: str, context: str, faults: Faults) -> tuple[Answer | None, bool]:
    """Return an answer that stands where it says (None when it is wrong), and whether it had to be moved there."""
    raw = faults.object(item, prefix)
    if raw is None:
        return None, False
    text, start = faults.text(raw, "text", prefix), faults.whole(raw, "answer_start", prefix)
    if text is not None and not text.strip():
        faults.tell(f"{prefix}text", f"is {describe(text)}, it must not be blank")
        return None, False
    if text is None or start is None:
        return None, False
    if start >= 0 and context.startswith(text, start):
        return Answer(text, start), False
    # The search for its place takes time, and would tell nobody anything.
    is_told = faults.on_bad == "fix" or not faults.is_full
    fault = classify_offset(context, text, start) if is_told else OffsetFault("elsewhere", None, False)
    where = f"{prefix}answer_start"
    sentence = f"is {start}, where {describe(text)} does not stand ({fault})"
    if faults.on_bad == "fix" and fault.start_char is not None and fault.is_unique:
        done = "moved" if fault.text is None else "spelled as there"
        faults.note_fixed(where, f"{sentence}; {done}")
        return Answer(fault.text or text, fault.start_char), True
    faults.tell(where, sentence)
    return None, False
