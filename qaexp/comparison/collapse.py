"""Whether a run answers nothing where its model is used: at threshold 0, or at the threshold stored with it."""

from __future__ import annotations

import numpy as np

from qaexp.comparison.scores import DIFFS, Scores
from qaexp.comparison.statistics.difference import Floats
from qaexp.runs.directory import COLLAPSE
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles


def where_silent(run: RunFiles, scores: Scores) -> str | None:
    """Where a run answers none of its questions, in words that follow "answers nothing"; None if it answers any.

    The run raises a flag after counting its predictions. Older runs did not check the tuned threshold, so it is checked
    here: `null_score_diff` of every question is above the threshold, and every score is that of an empty answer. (Means
    alone prove nothing: a run whose answers are all wrong has the same ones.)
    """
    is_flagged = any(flag.get("name") == COLLAPSE for flag in run.flags)
    tuned = (run.summary or {}).get("null_threshold")
    if _is_silent(scores, "f1", 0.0):
        is_silent_throughout = is_number(tuned) and _is_above(scores, tuned)
        return "at threshold 0 and at its tuned one" if is_silent_throughout else "at threshold 0"
    if is_number(tuned) and (_is_silent(scores, "crossfit_f1", tuned) or (is_flagged and _is_above(scores, tuned))):
        return f"at the tuned threshold {number_of('null_threshold').shown(tuned)}"
    return "as its flag says" if is_flagged else None


def _is_silent(scores: Scores, column: str, threshold: float) -> bool:
    has_ans, diffs, values = scores.questions.has_ans, scores.values.get(DIFFS), scores.values.get(column)
    if has_ans is None or diffs is None or values is None or not has_ans.any():
        return False
    empty: Floats = np.where(has_ans, 0.0, 100.0)
    return _is_above(scores, threshold) and bool(np.array_equal(values, empty))


def _is_above(scores: Scores, threshold: float) -> bool:
    diffs = scores.values.get(DIFFS)
    return diffs is not None and bool(np.all(diffs > threshold))
