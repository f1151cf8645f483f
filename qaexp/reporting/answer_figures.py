"""Pictures of how sure a run is of its answers: the null threshold, calibration, risk against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qaexp.reporting import risk as curves
from qaexp.reporting.figures import Row
from qaexp.reporting.quantities import (
    NO_SPAN_DIFF,
    arms,
    calibration_error,
    confidence,
    confidence_bins,
    is_number,
    threshold_curve,
    wilson_interval,
)
from qaexp.reporting.style import (
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
    percent_axis,
)


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
    rules = _rules(summary)
    low, high = _threshold_range(diffs, [value for _, value, _, _ in rules])
    steps = [low, *(value for value in curve.thresholds if low < value < high), high]
    upper.step(steps, [curve.at(value)[1] for value in steps], where="post", color=BLUE, label="f1")
    upper.step(steps, [curve.at(value)[0] for value in steps], where="post", color=SKY, label="exact")
    for name, value, color, marker in rules:
        _, f1 = curve.at(value)
        fair = f", cross-fitted {summary['crossfit_f1']:.1f}" if name == "tuned" and summary.get("crossfit_f1") else ""
        upper.axvline(value, color=color, linewidth=1.2, linestyle="--")
        upper.plot(
            [value],
            [f1],
            marker=marker,
            color=color,
            linestyle="none",
            markersize=7,
            label=f"{name} {value:.2f}: f1 {f1:.1f}{fair}",
        )
    shown = [score for value in steps for score in curve.at(value)]
    upper.set(ylabel="score (%)", ylim=(max(min(shown) - 5, -2), min(max(shown) + 5, 102)))
    _null_histogram(lower, predictions, low, high)
    lower.set_xlim(low, high)
    legend_below(figure, upper, 3)
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
        label="answers of like confidence, 95 % Wilson interval",
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
    legend_below(figure, upper, 2)
    return figure


def risk_coverage(predictions: Sequence[Row], run_name: str) -> Figure | None:
    """Draw the share of wrong answers among the surest ones, for every share of them; None without predictions."""
    if not predictions:
        return None
    sure = [confidence(row) for row in predictions]
    errors = [100.0 - row["exact"] for row in predictions]
    found, best = curves.risk_coverage(sure, errors), curves.oracle_risk_coverage(errors)
    chance = found.risk[-1]
    figure = new_figure(
        "Risk against coverage",
        f"{run_name} · {len(predictions)} dev examples · the surest answers are kept, the rest is left out",
        height=4.8,
    )
    axes = figure.add_subplot()
    low, high = interval_band(found.risk)
    axes.fill_between(found.coverage, low, high, color=SKY, alpha=0.3, linewidth=0, label="95 % Wilson interval")
    axes.axhline(chance, color=GREY, linestyle=":", linewidth=1.4, label=f"in any order: AURC {chance:.1f}")
    axes.plot(found.coverage, found.risk, color=BLUE, label=f"surest first: AURC {found.area:.1f}")
    axes.plot(
        best.coverage, best.risk, color=GREEN, linestyle="--", label=f"oracle, wrong ones last: AURC {best.area:.1f}"
    )
    # Among a handful of answers one wrong answer fills the scale: it is set by what a twentieth of them show.
    settled = high[len(high) // 20 :]
    axes.set(
        xlabel="coverage: answers kept (%)",
        ylabel="risk: not exactly right (%)",
        xlim=(0, 101),
        ylim=(0, min(max(*settled, 10.0) * 1.05, 102)),
    )
    legend_below(figure, axes, 2)
    return figure


def interval_band(risk: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the lower and upper ends of the Wilson interval of each risk over the first 1, 2, 3, ... answers."""
    ends = [wilson_interval(value / 100, kept) for kept, value in enumerate(risk, start=1)]
    return [100 * low for low, _ in ends], [100 * high for _, high in ends]


def _rules(summary: Mapping[str, Any]) -> list[tuple[str, float, str, str]]:
    """Return name, threshold, colour and marker of each rule that the run has."""
    found = [("default", 0.0, INK, "o")]
    rules = (("tuned", "null_threshold", GREEN, "D"), ("oracle", "best_f1_thresh", VERMILION, "*"))
    for name, key, color, marker in rules:
        if is_number(summary.get(key)):
            found.append((name, summary[key], color, marker))
    return found


def _threshold_range(diffs: Sequence[float], rules: Sequence[float]) -> tuple[float, float]:
    """Return the range that holds all rules and all but the outermost hundredth of the diffs on either side."""
    ordered = sorted(diffs)
    cut = len(ordered) // 100
    low, high = min(ordered[cut], *rules, 0.0), max(ordered[-1 - cut], *rules, 0.0)
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
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1)
