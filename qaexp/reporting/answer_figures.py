"""Pictures of a run's answers: the null threshold, how sure it is and how right, and where it fails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qaexp.reporting.figures import Row, is_number
from qaexp.reporting.quantities import (
    NO_SPAN_DIFF,
    Group,
    calibration_error,
    confidence_bins,
    group,
    in_range,
    range_labels,
    slice_means,
    threshold_curve,
)
from qaexp.reporting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    label,
    legend_below,
    new_figure,
    percent_axis,
)

ANSWER_BOUNDS = (0, 1, 2, 3, 6, 11)
CONTEXT_BOUNDS = (0, 100, 150, 200, 300)
WINDOW_BOUNDS = (1, 2, 3, 4)
MAX_GROUPS = 12
"""Beyond so many groups a panel shows the largest ones."""


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
        f"{run_name} · {len(predictions)} dev examples · nothing is answered where "
        "null_score_diff is above the threshold",
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
        yerr=_arms([found.exact for found in bins]),
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
        xlabel="confidence of the answer given: softmax over the n-best and no answer (%)",
        ylabel="answers",
        xlim=(-1, 101),
    )
    legend_below(figure, upper, 2)
    return figure


def slices(rows: Sequence[Row], run_name: str) -> Figure | None:
    """Draw f1 by question word, answer length, context length and number of windows; None without scores."""
    scored = [row for row in rows if is_number(row.get("f1"))]
    if not scored:
        return None
    overall = group("all", [row["f1"] for row in scored])
    panels = {
        "question word": slice_means(scored, lambda row: str(row["question_word"]))[:MAX_GROUPS],
        "words of the answer": _ranged(scored, "answer_words", ANSWER_BOUNDS, {"0": "none"}),
        "words of the context": _ranged(scored, "context_words", CONTEXT_BOUNDS, {"0–99": "up to 99"}),
        "windows": _ranged(scored, "num_windows", WINDOW_BOUNDS, {}),
    }
    figure = new_figure(
        "Where it fails: f1 by slice",
        f"{run_name} · {overall.num} dev examples · 95 % Wilson intervals · line: all examples, f1 {overall.mean:.1f}",
        height=6.4,
    )
    heights = [
        max(len(panels["question word"]), len(panels["words of the answer"])),
        max(len(panels["words of the context"]), len(panels["windows"])),
    ]
    for axes, (name, groups) in zip(figure.subplots(2, 2, height_ratios=heights).flat, panels.items(), strict=True):
        _draw_groups(axes, name, groups, overall.mean)
    return figure


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
    axes.legend(loc="upper right")


def _ranged(rows: Sequence[Row], column: str, bounds: Sequence[int], names: Mapping[str, str]) -> list[Group]:
    def key(row: Row) -> str:
        found = in_range(row[column] if is_number(row[column]) else math.inf, bounds)
        return names.get(found, found)

    return slice_means(rows, key, [names.get(name, name) for name in range_labels(bounds)])


def _draw_groups(axes: Axes, name: str, groups: Sequence[Group], overall: float) -> None:
    rows = range(len(groups))
    axes.axvline(overall, color=GREY, linewidth=1, linestyle="--")
    axes.errorbar(
        [found.mean for found in groups], rows, xerr=_arms(groups), color=BLUE, fmt="o", capsize=3, linewidth=1.4
    )
    axes.set_yticks(rows, [label(found.label, 18) for found in groups])
    axes.set(title=name, xlim=(-3, 103), ylim=(len(groups) - 0.4, -0.6))
    axes.grid(axis="y", color=PALE)
    numbers = axes.secondary_yaxis("right")
    numbers.set_yticks(rows, [f"{found.num}" for found in groups])
    numbers.tick_params(length=0, labelsize=8.5, labelcolor=GREY)
    numbers.spines["right"].set_visible(False)
    axes.text(1.02, 1.02, "n", transform=axes.transAxes, fontsize=8.5, color=GREY)
    axes.set_xlabel("f1 (%)")


def _arms(groups: Sequence[Group]) -> list[list[float]]:
    below = [max(found.mean - found.low, 0.0) for found in groups]
    return [below, [max(found.high - found.mean, 0.0) for found in groups]]
