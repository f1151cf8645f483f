"""Pictures of a training: loss, train accuracy, dev scores and learning rate, drawn from rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qaexp.reporting.figures.axes import epoch_axis, label_ends, score_axis, sparse
from qaexp.reporting.figures.style import BLUE, GREEN, GREY, INK, ORANGE, SKY, VERMILION, legend_below, new_figure
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number
from qaexp.storage.formats import counted

Row = Mapping[str, Any]
Point = tuple[float, float]
# When a run answers nothing, in words; a run that must answer has another rule.
DEFAULT_RULE = "null threshold 0"

# A line of more points is drawn by the ends and extremes of its stretches, which looks the same.
MAX_POINTS = 2000

# With more epochs than this, only those that are named have a line.
MAX_EPOCH_LINES = 200

# Minimum number of records for a smooth line of the loss.
MANY_STEPS = 60


def loss(steps: Sequence[Row], history: Sequence[Row], run_name: str) -> Figure | None:
    """Draw the loss of the recorded steps and the mean of each epoch; None without a finite one."""
    points, means = finite(steps, "step", "loss"), finite(history, "step", "train_loss")
    if not points and not means:
        return None
    counts = f"{counted(len(points), 'recorded step')}, {counted(len(means), 'evaluation')}"
    figure = new_figure("Training loss", f"{run_name} · {counts}")
    axes = figure.add_subplot()
    many = len(points) >= MANY_STEPS
    if points:
        look: dict[str, Any] = {
            "color": SKY if many else BLUE,
            "linewidth": 0.9 if many else 1.8,
            "marker": _marker(points),
        }
        axes.plot(*xy(points), label="step", **look)
    if many:
        window = len(points) // 20
        axes.plot(*xy(running_mean(points, window)), color=BLUE, label=f"mean of {window} records")
    if means:
        words = "mean of the epoch, at its end" if _at_ends(history) else "mean of the epoch so far"
        axes.plot(*xy(means), color=ORANGE, marker="o", linestyle="--", label=words)
    axes.set(xlabel="step", ylabel="loss (nats, mean of start and end)", xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    _mark_epochs(axes, history)
    legend_below(figure, axes, 3)
    return figure


def train_accuracy(history: Sequence[Row], run_name: str, rule: str = DEFAULT_RULE) -> Figure | None:
    """Draw how often start and end are both right in training, beside the dev exact; None without epochs."""
    points = finite(history, "epoch", "train_accuracy")
    if not points:
        return None
    so_far = "" if _at_ends(history) else " so far"
    dev = finite(history, "epoch", "exact")
    title = "Train accuracy and dev exact" if dev else "Train accuracy"
    figure = new_figure(title, f"{run_name} · train: start and end both right, over each epoch's features{so_far}")
    axes = figure.add_subplot()
    axes.plot(*xy(points), color=BLUE, marker="o", label="train accuracy (per feature, dropout on)")
    if dev:
        axes.plot(*xy(dev), color=ORANGE, marker="s", linestyle="--", label=f"dev exact (per example, {rule})")
    score_axis(axes, "right", [value for _, value in (*points, *dev)])
    epoch_axis(axes, [epoch for epoch, _ in points])
    label_ends(axes, [(line[-1], color) for line, color in ((points, BLUE), (dev, ORANGE)) if line])
    legend_below(figure, axes, 2)
    return figure


def scores(
    history: Sequence[Row],
    run_name: str,
    num_examples: int | None,
    kept_epoch: float | None,
    rule: str = DEFAULT_RULE,
) -> Figure | None:
    """Draw dev exact and f1 of each epoch, over all examples and over those with and without an answer."""
    if not finite(history, "epoch", "f1"):
        return None
    over = "" if num_examples is None else f" · {counted(num_examples, 'dev example')}"
    figure = new_figure("Dev exact and f1", f"{run_name}{over} · {rule}")
    panels = figure.subplots(1, 2, sharey=True)
    series = {
        (metric, prefix): points
        for metric in ("exact", "f1")
        for prefix in _SERIES
        if (points := finite(history, "epoch", f"{prefix}{metric}"))
    }
    for axes, metric in zip(panels, ("exact", "f1"), strict=True):
        ends: list[tuple[Point, str]] = []
        for prefix, color, marker in (("", INK, "o"), ("has_ans_", BLUE, "^"), ("no_ans_", ORANGE, "v")):
            points = series.get((metric, prefix), [])
            if points:
                width = 2.2 if not prefix else 1.5
                axes.plot(*xy(points), color=color, marker=marker, linewidth=width, label=_SERIES[prefix])
                ends.append((points[-1], color))
        axes.set_title(metric)
        score_axis(axes, "score", [value for points in series.values() for _, value in points])
        epoch_axis(axes, [epoch for epoch, _ in finite(history, "epoch", metric)])
        label_ends(axes, ends)
        if kept_epoch is not None:
            axes.axvline(kept_epoch, color=GREEN, linewidth=1, linestyle=":", label="kept epoch")
    panels[1].set_ylabel("")
    legend_below(figure, panels[1], 4)
    return figure


def learning_rate(steps: Sequence[Row], history: Sequence[Row], run_name: str) -> Figure | None:
    """Draw the learning rate of the recorded steps; where it is 0, training changes nothing, and that is marked."""
    points = finite(steps, "step", "learning_rate")
    if not points:
        return None
    highest = max(rate for _, rate in points)
    figure = new_figure("Learning rate", f"{run_name} · {_what_is_known(points, highest)}")
    axes = figure.add_subplot()
    axes.plot(*xy(points), color=BLUE, marker=_marker(points), label="learning rate")
    zero = [step for (before, first), (step, rate) in pairwise(points) if first == rate == 0 for step in (before, step)]
    if zero:
        axes.axvspan(zero[0], zero[-1], color=VERMILION, alpha=0.15, linewidth=0, label="0: nothing is learned here")
    axes.yaxis.set_major_formatter(FuncFormatter(_rate_format(highest)))
    axes.set(xlabel="step", ylabel="learning rate", xlim=(0, None), ylim=(0, highest * 1.08 or 1))
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    _mark_epochs(axes, history)
    legend_below(figure, axes, 2)
    return figure


def _what_is_known(points: Sequence[Point], highest: float) -> str:
    """The highest rate where every step is recorded; else which steps are, for the highest may lie between them."""
    steps = {step for step, _ in points}
    last = max(steps)
    if len(steps) == last:
        return f"highest {highest:.2g}"
    return f"at {counted(len(steps), 'recorded step')} of {last:,}"


def _marker(points: Sequence[Point]) -> str | None:
    """A mark for a line of one point, which would be invisible."""
    return "o" if len(points) == 1 else None


def _rate_format(highest: float) -> Callable[[float, float], str]:
    """Return how the rates are written: small ones all with the exponent of the highest, as in 0.5e-4, 3e-4."""
    exponent = math.floor(math.log10(highest)) if highest > 0 else 0
    if exponent > -3:
        return lambda rate, _: f"{rate:g}"
    return lambda rate, _: f"{rate / 10**exponent:.3g}e{exponent}" if rate else "0"


_SERIES = {"": "all", "has_ans_": "has_ans", "no_ans_": "no_ans"}


def finite(rows: Sequence[Row], x: str, y: str) -> list[Point]:
    """Return the points of two columns where both are finite numbers.

    >>> finite([{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}, {"step": 3}], "step", "loss")
    [(1, 2.0)]
    """
    return [(row[x], row[y]) for row in rows if is_number(row.get(x)) and is_number(row.get(y))]


def running_mean(points: Sequence[Point], window: int) -> list[Point]:
    """Return the mean of the last `window` values at each point that has that many.

    >>> running_mean([(1, 1.0), (2, 3.0), (3, 5.0)], 2)
    [(2, 2.0), (3, 4.0)]
    """
    values = [value for _, value in points]
    if len(points) > MAX_POINTS:
        return _running_mean_of_many(points, window)
    return [
        (points[end - 1][0], math.fsum(values[end - window : end]) / window) for end in range(window, len(points) + 1)
    ]


def _running_mean_of_many(points: Sequence[Point], window: int) -> list[Point]:
    """The same from running sums: its last digits are not exact, but its time does not grow with the window."""
    sums = np.concatenate([[0.0], np.cumsum([float(value) for _, value in points])])
    means = (sums[window:] - sums[:-window]) / window
    return [(x, mean) for (x, _), mean in zip(points[window - 1 :], means.tolist(), strict=True)]


def xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return the x and the y of the points to draw: all, or those that show where there are very many."""
    drawn = thinned(points)
    return [x for x, _ in drawn], [y for _, y in drawn]


def thinned(points: Sequence[Point], most: int = MAX_POINTS) -> list[Point]:
    """Return a limited number of points of a line: the first, lowest, highest and last of each stretch.

    >>> thinned([(1, 0.0), (2, 9.0), (3, 1.0), (4, -5.0), (5, 2.0), (6, 2.0)], 4)
    [(1, 0.0), (2, 9.0), (4, -5.0), (6, 2.0)]
    """
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / (most // 4))
    kept: list[Point] = []
    for first in range(0, len(points), size):
        places = range(first, min(first + size, len(points)))
        shown = {places[0], min(places, key=_height(points)), max(places, key=_height(points)), places[-1]}
        kept += [points[place] for place in sorted(shown)]
    return kept


def _height(points: Sequence[Point]) -> Callable[[int], float]:
    return lambda place: points[place][1]


def _at_ends(history: Sequence[Row]) -> bool:
    """Whether every evaluation is at the end of an epoch."""
    return all(float(epoch).is_integer() for epoch, _ in finite(history, "epoch", "step"))


def _mark_epochs(axes: Axes, history: Sequence[Row]) -> None:
    """Number the ends of the epochs above the picture, a line down from each."""
    ends = {step: epoch for step, epoch in finite(history, "step", "epoch") if epoch and float(epoch).is_integer()}
    for step in ends if len(ends) <= MAX_EPOCH_LINES else sparse(list(ends)):
        axes.axvline(step, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    if ends:
        named = sparse(list(ends))
        above = axes.secondary_xaxis("top")
        above.set_xticks(named, [number_of("epoch").shown(ends[step]) for step in named])
        above.tick_params(length=2.5, labelsize=8.5, labelcolor=GREY)
        above.set_xlabel("end of epoch", fontsize=8.5, color=GREY)
        above.spines["top"].set_visible(False)
