"""Whether a run answers nothing where its model is used: at threshold 0, or at the threshold stored with it."""

from __future__ import annotations

import numpy as np

from qaexp.comparison.scores import DIFFS, Floats, Scores
from qaexp.runs.collect import RunFiles
from qaexp.runs.directory import COLLAPSE


def where_silent(run: RunFiles, scores: Scores) -> str | None:
    """Where a run answers none of its questions, in words; None where it answers one.

    The run's own flag says so: it counted its predictions. Of a run from before that flag looked at the tuned threshold
    too, they are counted here: `null_score_diff` of every question is above the threshold, and every score is that of
    an empty answer. (Means alone prove nothing: who answers wrongly throughout has them too.)
    """
    if any(flag.get("name") == COLLAPSE for flag in run.flags):
        return "answers nothing"
    if _is_silent(scores, "f1", 0.0):
        return "answers nothing at threshold 0"
    tuned = (run.summary or {}).get("null_threshold")
    if isinstance(tuned, int | float) and _is_silent(scores, "crossfit_f1", float(tuned)):
        return f"answers nothing at its tuned threshold {tuned:.2f}"
    return None


def _is_silent(scores: Scores, column: str, threshold: float) -> bool:
    has_ans, diffs, values = scores.questions.has_ans, scores.values.get(DIFFS), scores.values.get(column)
    if has_ans is None or diffs is None or values is None or not has_ans.any():
        return False
    empty: Floats = np.where(has_ans, 0.0, 100.0)
    return bool(np.all(diffs > threshold) and np.array_equal(values, empty))
