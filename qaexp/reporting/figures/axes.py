"""Axes of pictures: scores, epochs, and the numbers at the ends of lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from qaexp.runs.metrics import number_of

# Minimum range of an axis of scores, in points: noise must not look like a difference.
_FINE = 4


def percent_axis(axes: Axes, name: str) -> None:
    """Let the y axis be a percentage from 0 to 100."""
    axes.set_ylim(-2, 102)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel(f"{name} (%)")


def score_axis(axes: Axes, name: str, values: Iterable[float]) -> None:
    """Let the y axis be the part of 0 to 100 that shows the values apart; it says where it begins if not at 0."""
    low, high = score_range(values)
    axes.set_ylim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=high - low >= _FINE, steps=[1, 2, 2.5, 5, 10]))
    begins = f", axis begins at {low:g}" if low > 0 else ""
    axes.set_ylabel(f"{name} (%{begins})")


def score_range(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of an axis for scores from 0 to 100: all of it where the values need half of it, else a part.

    >>> score_range([40.0, 95.0]), score_range([83.1, 88.5]), score_range([99.5, 100.0]), score_range([37.0, 37.0])
    ((0.0, 100.0), (82.0, 90.0), (96.0, 100.0), (35.0, 39.0))
    """
    found = list(values)
    least, most = min(found), max(found)
    if most - least >= 50:
        return 0.0, 100.0
    step = 5 if most - least > 20 else 2 if most - least > _FINE else 1
    low = math.floor((least - step / 2) / step) * step
    high = math.ceil((most + step / 2) / step) * step
    missing = max(_FINE - (high - low), 0)
    low, high = low - missing // 2, high + missing - missing // 2
    # An end beyond what is possible moves the other one along.
    low, high = low - max(high - 100, 0), min(high, 100)
    return float(max(low, 0)), float(high - min(low, 0))


def epoch_axis(axes: Axes, epochs: Sequence[float]) -> None:
    """Let the x axis count epochs: whole numbers where there are two or more, else those that were evaluated."""
    first, last = min(epochs), max(epochs)
    margin = 0.04 * (last - first) or 0.5
    whole = range(math.ceil(first), math.floor(last) + 1, max(1, math.ceil((last - first) / 12)))
    ticks = list(whole) if len(whole) > 1 else sparse(sorted(set(epochs)))
    axes.set_xticks(ticks, [number_of("epoch").shown(tick) for tick in ticks])
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel("epoch")


def sparse(values: Sequence[float], num: int = 12) -> list[float]:
    """Return at most about `num` of some values, evenly thinned out, the last one always among them.

    >>> sparse([1, 2, 3, 4, 5], 3)
    [1, 3, 5]
    """
    step = max(1, math.ceil(len(values) / num))
    return list(values[::-1][::step][::-1])


def label_ends(axes: Axes, ends: Sequence[tuple[tuple[float, float], str]]) -> None:
    """Write the last value of each line to the right of its end, in its colour; no two numbers overlap."""
    low, high = axes.get_ylim()
    gap = 0.05 * (high - low)
    heights = spread([y for (_, y), _ in ends], gap, low + gap / 2, high - gap / 2)
    for ((x, y), color), height in zip(ends, heights, strict=True):
        axes.annotate(
            f"{y:.1f}",
            (x, height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=color,
            fontweight="bold",
            annotation_clip=False,
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the values moved apart as little as needed for neighbours to be `gap` apart, between two bounds.

    >>> spread([50.0, 51.0, 10.0], 4.0, 0.0, 100.0)
    [48.5, 52.5, 10.0]
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    blocks: list[list[int]] = [[index] for index in order]

    def place(block: list[int]) -> tuple[float, float]:
        half = gap * (len(block) - 1) / 2
        center = math.fsum(values[index] for index in block) / len(block)
        center = min(max(center, low + half), high - half)
        return center - half, center + half

    merged: list[list[int]] = []
    for block in blocks:
        merged.append(block)
        while len(merged) > 1 and place(merged[-2])[1] + gap > place(merged[-1])[0]:
            last = merged.pop()
            merged[-1] = merged[-1] + last
    heights = {index: place(block)[0] + gap * rank for block in merged for rank, index in enumerate(block)}
    return [heights[index] for index in range(len(values))]
