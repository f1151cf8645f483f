"""The SQuAD data model and its reader: nested official JSON, flat JSON lines and parquet, validated as they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


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
    was skipped or fixed. `sha256` is that of the file's bytes.
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
