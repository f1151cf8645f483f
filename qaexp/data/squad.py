"""The SQuAD data model: questions with their contexts and gold answers, and what a file of them held."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer: `context[start_char:end_char] == text` (end exclusive).

    At -1 it is right as well, but nothing says where it stands: only its text counts, when a prediction is scored.
    """

    text: str
    start_char: int

    @property
    def end_char(self) -> int:
        """The first character after the answer."""
        return self.start_char + len(self.text)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its context and its gold answers, of which the first is the label; none: unanswerable."""

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

    examples: Sequence[Example]
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
