"""The numbers behind the pictures of a run's predictions: threshold curve, confidence, slices."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.reporting.numbers.intervals import Group, dependence, group

Row = Mapping[str, Any]
# predictions.jsonl stores this `null_score_diff` where an example has no legal span: it is answered by nothing.
NO_SPAN_DIFF = 1e6
# The key of a `confidence` that was worked out already.
CONFIDENCE = "confidence"


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Mean scores in percent when nothing is answered above each null threshold."""

    thresholds: list[float]
    exact: list[float]
    f1: list[float]

    def at(self, threshold: float) -> tuple[float, float]:
        """Return exact and f1 under a threshold; one that equals a null_score_diff still answers."""
        index = self.place(threshold)
        return self.exact[index], self.f1[index]

    def place(self, threshold: float) -> int:
        """Return the place of a threshold's scores; place 0 answers nothing."""
        return max(bisect.bisect_right(self.thresholds, threshold) - 1, 0)


def threshold_curve(predictions: Sequence[Row]) -> ThresholdCurve | None:
    """Return the score under every threshold that matters, from "answer nothing" upwards.

    Args:
        predictions: Records with golds, null_score_diff, and span_exact and span_f1: the scores of the best span.

    Returns:
        The curve; None without predictions, or where the scores of the best spans are not stored.
    """
    if not predictions or any("span_f1" not in row for row in predictions):
        return None
    empty = [0.0 if row["golds"] else 100.0 for row in predictions]
    spans = sorted(
        (row["null_score_diff"], row["span_exact"] - none, row["span_f1"] - none)
        for row, none in zip(predictions, empty, strict=True)
        if row["null_score_diff"] < NO_SPAN_DIFF
    )
    thresholds, exact, f1 = [-math.inf], [math.fsum(empty)], [math.fsum(empty)]
    for diff, exact_gain, f1_gain in spans:
        if diff != thresholds[-1]:
            thresholds.append(diff)
            exact.append(exact[-1])
            f1.append(f1[-1])
        exact[-1] += exact_gain
        f1[-1] += f1_gain
    num = len(predictions)
    return ThresholdCurve(thresholds, [total / num for total in exact], [total / num for total in f1])


def confidence(prediction: Row) -> float:
    """Return the probability of the answer given, from 0 to 1: softmax over the n-best spans and "no answer".

    >>> confidence({"prediction_text": "", "null_score_diff": 0.0, "n_best": [{"score": 3.0}]})
    0.5
    """
    if CONFIDENCE in prediction:
        return float(prediction[CONFIDENCE])
    spans = [span["score"] for span in prediction["n_best"]]
    if not spans:
        return 1.0
    null = spans[0] + prediction["null_score_diff"]
    highest = max(null, *spans)
    weights = [math.exp(score - highest) for score in (null, *spans)]
    return weights[1 if prediction["prediction_text"] else 0] / sum(weights)


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers of similar confidence: their mean confidence in percent, and how many of them are exactly right."""

    confidence: float
    exact: Group


def confidence_bins(predictions: Sequence[Row], num_bins: int = 10) -> list[ConfidenceBin]:
    """Return the non-empty ones of `num_bins` equally wide bins of confidence."""
    bins: list[list[tuple[float, float, str]]] = [[] for _ in range(num_bins)]
    for row, cluster in zip(predictions, dependence(predictions).labels, strict=True):
        sure = confidence(row)
        bins[min(int(sure * num_bins), num_bins - 1)].append((100 * sure, row["exact"], cluster))
    return [
        ConfidenceBin(
            math.fsum(sure for sure, _, _ in found) / len(found),
            group("", [exact for _, exact, _ in found], [cluster for _, _, cluster in found]),
        )
        for found in bins
        if found
    ]


def calibration_error(bins: Sequence[ConfidenceBin]) -> float:
    """Return the expected calibration error in percent: the mean distance of confidence and exact over all answers."""
    num = sum(found.exact.num for found in bins)
    return math.fsum(found.exact.num * abs(found.confidence - found.exact.mean) for found in bins) / num


def slice_means(
    rows: Sequence[Row], labels: Sequence[str], key: Callable[[Row], str], order: Sequence[str] = ()
) -> list[Group]:
    """Return the mean f1 of the rows with each value of `key`: in the given order, then the largest group first.

    Args:
        rows: With f1.
        labels: The cluster of each row.
        key: Takes a row to its slice.
        order: The slices that come first.
    """
    found: dict[str, list[tuple[float, str]]] = {name: [] for name in order}
    for row, cluster in zip(rows, labels, strict=True):
        found.setdefault(key(row), []).append((row["f1"], cluster))
    rest = sorted((name for name in found if name not in order), key=lambda name: (-len(found[name]), name))
    return [
        group(name, [f1 for f1, _ in found[name]], [cluster for _, cluster in found[name]])
        for name in (*order, *rest)
        if found[name]
    ]
