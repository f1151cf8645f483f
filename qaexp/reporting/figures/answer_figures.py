"""Pictures of how sure a run is of its answers: the null threshold, calibration, risk against coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import qaexp.reporting.numbers.risk as curves
from qaexp.reporting.figures.axes import percent_axis
from qaexp.reporting.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    legend_below,
    new_figure,
)
from qaexp.reporting.figures.training_figures import Row
from qaexp.reporting.numbers.advice import shown
from qaexp.reporting.numbers.answering import ANSWER_NOTHING, oracle_threshold
from qaexp.reporting.numbers.intervals import arms, dependence
from qaexp.reporting.numbers.quantities import (
    NO_SPAN_DIFF,
    ThresholdCurve,
    calibration_error,
    confidence,
    confidence_bins,
    threshold_curve,
)
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.runs.score_intervals import ClusterSums

# Minimum share of the answers, in percent, for an interval of their risk.
MIN_COVERAGE = 5


def threshold(predictions: Sequence[Row], summary: Mapping[str, Any], run_name: str) -> Figure | None:
    """Draw exact and f1 under every null threshold, with the three rules marked: 0, tuned and oracle.

    Returns:
        The picture; None for a run that must always answer, and without the scores of the best spans.
    """
    curve = threshold_curve(predictions)
    diffs = [row["null_score_diff"] for row in predictions if row["null_score_diff"] < NO_SPAN_DIFF]
    if curve is None or len(set(diffs)) < 2 or not is_number(summary.get("null_threshold")):
        return None
    figure = new_figure(
        "Null threshold",
        f"{run_name} · {len(predictions)} dev examples · above the threshold nothing is answered",
        height=5.6,
    )
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    rules = _rules(curve, predictions, summary)
    low, high = _threshold_range(diffs, rules)
    steps = [low, *(value for value in curve.thresholds if low < value < high), high]
    upper.step(steps, [curve.at(value)[1] for value in steps], where="post", color=BLUE, label="f1")
    upper.step(steps, [curve.at(value)[0] for value in steps], where="post", color=SKY, label="exact")
    for rule in rules:
        if rule.threshold is not None:
            upper.axvline(rule.threshold, color=rule.color, linewidth=1.2, linestyle="--")
        # Left of every question nothing is answered at any threshold: mark the middle of that region.
        place = (low + min(diffs)) / 2 if rule.threshold is None else rule.threshold
        look = {"marker": rule.marker, "color": rule.color, "linestyle": "none", "markersize": 7}
        upper.plot([place], [rule.f1], label=f"{rule.name}: f1 {number_of('f1').shown(rule.f1)}{rule.remark}", **look)
    drawn = [*(score for value in steps for score in curve.at(value)), *(rule.f1 for rule in rules)]
    upper.set(ylabel="score (%)", ylim=(max(min(drawn) - 5, -2), min(max(drawn) + 5, 102)))
    _null_histogram(lower, predictions, low, high)
    lower.set_xlim(low, high)
    legend_below(figure, upper, 2)
    return figure


def calibration(predictions: Sequence[Row], run_name: str) -> Figure | None:
    """Draw how often answers are exactly right against how sure the run is of them; None without predictions."""
    bins = confidence_bins(predictions)
    if not bins:
        return None
    figure = new_figure(
        "Calibration",
        f"{run_name} · {len(predictions)} dev examples · expected calibration error "
        f"{calibration_error(bins):.1f} points",
        height=5.6,
    )
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1, label="as right as sure")
    sure, right = [found.confidence for found in bins], [found.exact.mean for found in bins]
    upper.errorbar(
        sure,
        right,
        yerr=arms([found.exact for found in bins]),
        color=BLUE,
        marker="o",
        capsize=3,
        linewidth=1.4,
        label=f"answers of similar confidence, {dependence(predictions).words}",
    )
    percent_axis(upper, "exact")
    width = 10
    lower.bar(
        [min(int(value // width), 9) * width + width / 2 for value in sure],
        [found.exact.num for found in bins],
        width=width * 0.94,
        color=SKY,
    )
    lower.set(
        xlabel="confidence of the answer given: softmax over the n-best and “no answer” (%)",
        ylabel="answers",
        xlim=(-1, 101),
    )
    lower.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    legend_below(figure, upper, 2)
    return figure


def risk_coverage(predictions: Sequence[Row], run_name: str) -> Figure | None:
    """Draw the share of wrong answers among the surest ones, for every share of them; None without predictions."""
    if not predictions:
        return None
    sure, depend = [confidence(row) for row in predictions], dependence(predictions)
    errors = [100.0 - row["exact"] for row in predictions]
    found, best = curves.risk_coverage(sure, errors), curves.oracle_risk_coverage(errors)
    chance = found.risk[-1]
    figure = new_figure(
        "Risk against coverage",
        f"{run_name} · {len(predictions)} dev examples · the surest answers are kept, the rest is left out",
        height=4.8,
    )
    axes = figure.add_subplot()
    low, high = interval_band(curves.surest_first(sure, errors), depend.labels)
    words = f"{depend.words}, from {MIN_COVERAGE} % on" if any(map(math.isfinite, high)) else depend.words
    axes.fill_between(found.coverage, low, high, color=SKY, alpha=0.3, linewidth=0, label=words)
    axes.axhline(chance, color=GREY, linestyle=":", linewidth=1.4, label=f"in any order: AURC {chance:.1f}")
    axes.plot(found.coverage, found.risk, color=BLUE, label=f"surest first: AURC {found.area:.1f}")
    axes.plot(
        best.coverage, best.risk, color=GREEN, linestyle="--", label=f"oracle, wrong ones last: AURC {best.area:.1f}"
    )
    # One wrong answer among the first few would fill the scale: it is set by coverages above a twentieth.
    settled = [end for end in high[len(high) // 20 :] if end == end] + found.risk[len(high) // 20 :]
    axes.set(
        xlabel="coverage: answers kept (%)",
        ylabel="risk: not exactly right (%)",
        xlim=(0, 101),
        ylim=(0, min(max(*settled, 10.0) * 1.05, 102)),
    )
    legend_below(figure, axes, 2)
    return figure


def interval_band(answers: Sequence[tuple[int, float]], labels: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return the ends of the interval of the risk over the first 1, 2, 3, ... answers; NaN where there is none.

    Over the first few answers it would be as wide as the picture, so it begins at `MIN_COVERAGE`.

    Args:
        answers: The place and the error of each answer, the surest first.
        labels: The cluster of each place.
    """
    gathered = ClusterSums()
    low: list[float] = []
    high: list[float] = []
    for place, error in answers:
        gathered.add(error, labels[place])
        is_shown = 100 * (len(low) + 1) >= MIN_COVERAGE * len(answers)
        ends = (is_shown and gathered.interval()) or (math.nan, math.nan)
        low.append(ends[0])
        high.append(ends[1])
    return low, high


@dataclass(frozen=True, slots=True)
class _Rule:
    """A threshold that is marked, and the f1 under it; None is the threshold of answering nothing."""

    name: str
    threshold: float | None
    f1: float
    color: str
    marker: str
    remark: str = ""


def _rules(curve: ThresholdCurve, predictions: Sequence[Row], summary: Mapping[str, Any]) -> list[_Rule]:
    """Return the rules that the run has."""
    tuned = float(summary["null_threshold"])
    silent = ", answers nothing" if curve.place(tuned) == 0 else ""
    fitted = f", from other folds {shown(summary, 'crossfit_f1')}" if is_number(summary.get("crossfit_f1")) else ""
    found = [
        _Rule("default 0.00", 0.0, curve.at(0.0)[1], INK, "o"),
        _Rule(f"tuned {shown(summary, 'null_threshold')}", tuned, curve.at(tuned)[1], GREEN, "D", f"{fitted}{silent}"),
    ]
    oracle = oracle_threshold(summary, "f1", predictions)
    if oracle is not None:
        place = None if oracle == ANSWER_NOTHING else float(summary["best_f1_thresh"])
        words = f", {oracle}" if isinstance(oracle, str) else f" {shown(summary, 'best_f1_thresh')}"
        found.append(_Rule(f"oracle{words}", place, float(summary["best_f1"]), VERMILION, "*"))
    return found


def _threshold_range(diffs: Sequence[float], rules: Sequence[_Rule]) -> tuple[float, float]:
    """Return the range that holds all rules and all but the outermost hundredth of the diffs on either side."""
    ordered = sorted(diffs)
    cut = len(ordered) // 100
    # Only to the left of all of them nothing is answered.
    first = ordered[0] if any(rule.threshold is None for rule in rules) else ordered[cut]
    marked = [rule.threshold for rule in rules if rule.threshold is not None]
    low, high = min(first, *marked, 0.0), max(ordered[-1 - cut], *marked, 0.0)
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _null_histogram(axes: Axes, predictions: Sequence[Row], low: float, high: float) -> None:
    for name, has_ans, color in (("has_ans", True, PURPLE), ("no_ans", False, ORANGE)):
        diffs = [row["null_score_diff"] for row in predictions if bool(row["golds"]) == has_ans]
        axes.hist(
            [diff for diff in diffs if low <= diff <= high],
            bins=40,
            range=(low, high),
            histtype="stepfilled",
            alpha=0.45,
            color=color,
            label=f"{name} ({len(diffs)})",
        )
    axes.set(xlabel="null threshold, null_score_diff (logits)", ylabel="examples")
    # Room above the bars, so that the legend hides none.
    axes.set_ylim(0, axes.get_ylim()[1] * 1.4)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1)
