"""At which of its two thresholds a model answers nothing, in words, and what it answers at the other one."""

from __future__ import annotations

from qaexp.runs.metrics import number_of


def silent_at(num_answered: int | None, num_tuned: int | None, tuned: float | None) -> str | None:
    """The words for the thresholds at which nothing is answered: 0, the tuned one, or both; None where there is none.

    >>> silent_at(9, 0, -1.172), silent_at(0, 0, -0.65), silent_at(0, 5, 0.9), silent_at(9, 5, 0.9)
    ('at its tuned threshold -1.17', 'at its tuned threshold -0.65, nor at threshold 0', 'at threshold 0', None)
    """
    if num_tuned == 0 and tuned:
        words = f"at its tuned threshold {number_of('null_threshold').shown(tuned)}"
        return words if num_answered else f"{words}, nor at threshold 0"
    return "at threshold 0" if num_answered == 0 else None


def answered_at(num_tuned: int | None, tuned: float | None) -> str:
    """What a model that is silent at threshold 0 says at its tuned one; empty where it is silent there, too.

    >>> answered_at(3, 0.512), answered_at(0, -1.172)
    ('; at its tuned threshold 0.51, which qaexp answer uses, it answers 3', '')
    """
    if not num_tuned or tuned is None:
        return ""
    shown = number_of("null_threshold").shown(tuned)
    return f"; at its tuned threshold {shown}, which qaexp answer uses, it answers {num_tuned}"
