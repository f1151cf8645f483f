"""What another program's results say of each question, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qaexp.data.squad import Example

# What models are told to say where a text holds no answer (lm-evaluation-harness, inspect): it means the empty answer.
_UNANSWERABLE = "unanswerable"


@dataclass(frozen=True, slots=True)
class Answers:
    """The results of one program.

    Attributes:
        program: What wrote them, in words.
        texts: The answer to each question by its id, empty for no answer; None where only scores are known.
        spans: The best answer that is not empty, by id; None where it is not known of every question.
        diffs: How much rather no answer, by id: null_score_diff, or a probability; None where it is not known.
        scores: f1 and perhaps exact, in percent, by id; None where they are computed from the texts.
        examples: The questions with their gold answers, where the results hold them.
        notes: What a reader of the scores must know, each without the name of the results.
    """

    program: str
    texts: Mapping[str, str] | None = None
    spans: Mapping[str, str] | None = None
    diffs: Mapping[str, float] | None = None
    scores: Mapping[str, Mapping[str, float]] | None = None
    examples: Sequence[Example] | None = None
    notes: Sequence[str] = field(default=())

    @property
    def ids(self) -> Sequence[str]:
        """The questions that it answers."""
        return list(self.texts if self.texts is not None else self.scores or ())


def said(text: str) -> str:
    """An answer as a model that writes gave it; empty where it says that there is none.

    >>> said(" Unanswerable. "), said(" Paris")
    ('', 'Paris')
    """
    return "" if text.strip(" \t\r\n.'\"").lower() == _UNANSWERABLE else text.strip()
