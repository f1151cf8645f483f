"""How many questions a run answers, and the threshold behind its best scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.reporting.numbers.quantities import NO_SPAN_DIFF, Row, threshold_curve
from qaexp.runs.number import is_number

# What the official script writes as a threshold of 0.0 where no threshold beats it.
ANSWER_NOTHING = "answer nothing"

# The official script may cut between questions of one null_score_diff, where no threshold can.
WITHIN_A_TIE = "within a tie"

# The rule of a run that must answer.
ALWAYS_ANSWERED = "always answered"

_SAME_POINTS = 1e-6


@dataclass(frozen=True, slots=True)
class Answered:
    """How many dev questions get an answer.

    Attributes:
        num_examples: All dev questions.
        num_has_ans: Those that have an answer.
        at_default: Those that are answered, at the threshold of the predictions: 0.
        at_tuned: Those that are answered at the tuned threshold; None where there is none.
    """

    num_examples: int
    num_has_ans: int
    at_default: int
    at_tuned: int | None = None

    @property
    def share_no_ans(self) -> float:
        """Exact and f1, in percent, of answering nothing at all."""
        return 100.0 * (self.num_examples - self.num_has_ans) / self.num_examples


def null_rule(config: Mapping[str, Any]) -> str:
    """When the predictions of a run answer nothing, in words.

    >>> null_rule({"decoding": {"allow_no_answer": False}}), null_rule({})
    ('always answered', 'null threshold 0')
    """
    decoding = config.get("decoding")
    must_answer = isinstance(decoding, Mapping) and decoding.get("allow_no_answer") is False
    return ALWAYS_ANSWERED if must_answer else "null threshold 0"


def count_answered(predictions: Sequence[Row], summary: Mapping[str, Any]) -> Answered | None:
    """Count the answers among the records of predictions.jsonl; None without any.

    >>> rows = [{"golds": ["a"], "prediction_text": "b", "null_score_diff": -0.5}]
    >>> count_answered(rows, {"null_threshold": -1.5})
    Answered(num_examples=1, num_has_ans=1, at_default=1, at_tuned=0)
    """
    if not predictions:
        return None
    tuned = summary.get("null_threshold")
    return Answered(
        num_examples=len(predictions),
        num_has_ans=sum(bool(row["golds"]) for row in predictions),
        at_default=sum(bool(row["prediction_text"]) for row in predictions),
        at_tuned=sum(row["null_score_diff"] <= min(tuned, NO_SPAN_DIFF - 1) for row in predictions)
        if is_number(tuned)
        else None,
    )


def oracle_threshold(summary: Mapping[str, Any], metric: str, predictions: Sequence[Row] = ()) -> float | str | None:
    """What `best_exact` or `best_f1` was reached with: a threshold that gives it again, or the words for what it is.

    Args:
        summary: The numbers of summary.json.
        metric: `exact` or `f1`.
        predictions: The records of predictions.jsonl; without them the numbers must suffice.

    Returns:
        The threshold, `ANSWER_NOTHING` or `WITHIN_A_TIE`; None without an oracle.

    >>> oracle_threshold({"f1": 4.3, "best_f1": 37.5, "best_f1_thresh": 0.0}, "f1")
    'answer nothing'
    """
    threshold, best = summary.get(f"best_{metric}_thresh"), summary.get(f"best_{metric}")
    if not is_number(threshold) or not is_number(best):
        return None
    curve = threshold_curve(predictions)
    if curve is None:
        return ANSWER_NOTHING if threshold == 0 and _is_silence(summary, metric) else float(threshold)
    scores = curve.exact if metric == "exact" else curve.f1
    if threshold == 0 and abs(scores[0] - best) <= _SAME_POINTS:
        return ANSWER_NOTHING
    return float(threshold) if abs(scores[curve.place(threshold)] - best) <= _SAME_POINTS else WITHIN_A_TIE


def _is_silence(summary: Mapping[str, Any], metric: str) -> bool:
    """Whether the best score differs from that of threshold 0, or 0 already answers nothing."""
    at_default = summary.get(metric)
    differs = is_number(at_default) and abs(at_default - summary[f"best_{metric}"]) > _SAME_POINTS
    return differs or (summary.get("has_ans_f1") == 0 and summary.get("no_ans_f1") == 100)
