"""The kind of a question: the keys by which scores are split into slices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qaexp.data.squad import Example

_QUESTION_WORD = re.compile(r"\b(how (?:many|much)|who|whom|whose|what|when|where|which|why|how)\b")
_SAME_AS = {"whom": "who", "whose": "who", "how much": "how many"}


def question_word(question: str) -> str:
    """The first question word: what, who, when, where, which, why, how, `how many` (and how much), or other.

    >>> [question_word(text) for text in ("In what year?", "To whom is it due?", "How much is it?", "Name a river.")]
    ['what', 'who', 'how many', 'other']
    """
    found = _QUESTION_WORD.search(" ".join(question.lower().split()))
    return _SAME_AS.get(found[1], found[1]) if found else "other"


def slice_keys(example: Example, num_windows: int) -> dict[str, str | int]:
    """The slice keys of scores.csv; `answer_words` counts the words of the first gold answer, 0 without one."""
    return {
        "question_word": question_word(example.question),
        "answer_words": len(example.golds[0].split()) if example.golds else 0,
        "context_words": len(example.context.split()),
        "num_windows": num_windows,
    }
