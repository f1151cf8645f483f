"""Whether a model answers nothing at threshold 0 or at its tuned threshold, and the advice against it."""

from __future__ import annotations

from dataclasses import dataclass

from qaexp.evaluation.evaluate import Evaluation
from qaexp.runs.metrics import number_of


@dataclass(frozen=True, slots=True)
class NumAnswered:
    """How many questions a model answers; counted, not inferred from means.

    Attributes:
        num_examples: All questions.
        num_has_ans: Questions that have an answer.
        at_zero: Questions answered at threshold 0.
        at_tuned: Questions answered at the tuned threshold; None without one.
        tuned: The tuned threshold.
    """

    num_examples: int
    num_has_ans: int
    at_zero: int
    at_tuned: int | None = None
    tuned: float | None = None


def count_answered(evaluation: Evaluation) -> NumAnswered:
    """Count the examples that a model answers."""
    judged, tuned = evaluation.judged, evaluation.metrics["null_threshold"]
    return NumAnswered(
        num_examples=len(judged),
        num_has_ans=int(judged.has_ans.sum()),
        at_zero=int(judged.is_answered.sum()),
        at_tuned=None if tuned is None else int((judged.has_text & ~(judged.diffs > tuned)).sum()),
        tuned=tuned,
    )


def collapse_advice(answered: NumAnswered, subset: str) -> str | None:
    """Advice for a model that answers nothing at threshold 0, or at the tuned threshold.

    Args:
        answered: How many dev questions it answers.
        subset: `data.subset`; a run on answerable examples alone is not told to train on them first.

    Returns:
        One sentence; None if it answers something, or if no question has an answer.
    """
    where = silent_at(answered.at_zero, answered.at_tuned, answered.tuned) if answered.num_has_ans else None
    if where is None:
        return None
    answerable = " on answerable ones first (data.subset=answerable)," if subset != "answerable" else ""
    return (
        f"The model answers none of {answered.num_examples} questions {where}, so its scores there are just the share "
        f"of unanswerable questions{answered_at(answered.at_tuned, answered.tuned)}: train on more examples or epochs,"
        f"{answerable} or with another rate."
    )


def silent_at(num_answered: int | None, num_tuned: int | None, tuned: float | None) -> str | None:
    """The words for the thresholds at which nothing is answered: 0, the tuned one, or both; None for neither.

    >>> silent_at(9, 0, -1.172), silent_at(0, 0, -0.65), silent_at(0, 5, 0.9), silent_at(9, 5, 0.9)
    ('at its tuned threshold -1.17', 'at its tuned threshold -0.65, nor at threshold 0', 'at threshold 0', None)
    """
    if num_tuned == 0 and tuned:
        words = f"at its tuned threshold {number_of('null_threshold').shown(tuned)}"
        return words if num_answered else f"{words}, nor at threshold 0"
    return "at threshold 0" if num_answered == 0 else None


def answered_at(num_tuned: int | None, tuned: float | None) -> str:
    """What a model that is silent at threshold 0 answers at its tuned one; empty if it is silent there too.

    >>> answered_at(3, 0.512), answered_at(0, -1.172)
    ('; at its tuned threshold 0.51, which qaexp answer uses, it answers 3', '')
    """
    if not num_tuned or tuned is None:
        return ""
    shown = number_of("null_threshold").shown(tuned)
    return f"; at its tuned threshold {shown}, which qaexp answer uses, it answers {num_tuned}"
