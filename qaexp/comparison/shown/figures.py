"""The main figures of a comparison as PNG files, drawn from the same numbers as the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qaexp.reporting.figures.axes import epoch_axis, spread
from qaexp.reporting.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    label,
    legend_below,
    look,
    new_figure,
    png,
)
from qaexp.runs.short_words import shortened

MAX_ROWS = 30
MAX_NAME = 42
# With more points than this, none has a letter.
MAX_LETTERS = 20

COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
Row = Mapping[str, Any]
# Of each group its letter, and its name as it is shown.
Letters = Mapping[str, tuple[str, str]]


def pictures(data: Mapping[str, Any]) -> dict[str, bytes]:
    """Return PNG files by name without suffix: only those there is something for.

    Args:
        data: Of `figure_data`.
    """
    if not data:
        return {}
    captions = data["captions"]
    letters = {group["name"]: (group["letter"], group["label"]) for group in data["groups"]}
    with look():
        drawn = {
            "intervals": intervals(data["intervals"], captions["intervals"], data["limits"], letters),
            "contrasts": contrasts(data["contrasts"], captions["contrasts"], letters),
            "curves": curves(data["curves"], captions["curves"], letters),
            "profile": profiles(data["profile"], captions["profile"], letters),
            "effects": effects(data["effects"], captions["effects"]),
            "learning_curve": scatter(data["learning"], captions["learning"], letters, is_curve=True),
            "quality_and_cost": scatter(data["cost"], captions["cost"], letters),
        }
        return {name: png(figure) for name, figure in drawn.items() if figure is not None}


def intervals(rows: Sequence[Row], caption: Row, limits: Sequence[float | None], letters: Letters) -> Figure | None:
    """Draw each group's mean, its interval and its runs; None without groups.

    Args:
        rows: A row a group.
        caption: Of `captions`.
        limits: The least and the greatest value that is possible; None: no bound.
        letters: The letter of each group.
    """
    if not rows:
        return None
    figure, axes, shown = _forest(rows, caption)
    for place, row in enumerate(shown):
        axes.plot(row["values"], [place] * len(row["values"]), "o", color=GREY, markersize=4, alpha=0.7, zorder=3)
    axes.set_yticks(range(len(shown)), [_named(row["name"], letters, f" (n = {row['n']})") for row in shown])
    _points(axes, shown, [not row["is_collapsed"] for row in shown])
    low, high = axes.get_xlim()
    # A little room beyond the possible range, so that a point at its end is not cut.
    least, most = limits
    room = 0.01 * (high - low)
    axes.set_xlim(low if least is None else max(low, least - room), high if most is None else min(high, most + room))
    return figure


def contrasts(rows: Sequence[Row], caption: Row, letters: Letters) -> Figure | None:
    """Draw what each group is above or below the baseline; None without contrasts."""
    if not rows:
        return None
    figure, axes, shown = _forest(rows, caption)
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(shown)), [_named(row["name"], letters) for row in shown])
    _points(axes, shown, [row["verdict"] in ("better", "worse") for row in shown])
    return figure


def effects(rows: Sequence[Row], caption: Row) -> Figure | None:
    """Draw the main effects; None where no key was swept."""
    if not rows:
        return None
    named = [{**row, "y": row["effect"]} for row in rows]
    figure, axes, shown = _forest(named, caption)
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(shown)), [_value_named(row) for row in shown])
    _points(axes, shown, [row["verdict"] in ("above", "below") for row in shown])
    return figure


def curves(groups: Sequence[Row], caption: Row, letters: Letters) -> Figure | None:
    """Draw dev f1 by epoch: the mean over seeds and a band from the lowest to the highest; None for a single epoch."""
    drawn = [(group, list(_means(group["runs"]))) for group in groups[: len(COLORS)]]
    drawn = [(group, points) for group, points in drawn if points]
    if len({point[0] for _, points in drawn for point in points}) < 2:
        return None
    figure = new_figure(caption["title"], caption["text"])
    axes = figure.add_subplot()
    for (group, points), color, marker in zip(drawn, COLORS, MARKERS, strict=False):
        xs, means, lows, highs = zip(*points, strict=True)
        for run in group["runs"]:
            axes.plot(run["x"], run["f1"], color=color, linewidth=0.6, alpha=0.5)
        axes.fill_between(xs, lows, highs, color=color, alpha=0.15, linewidth=0)
        axes.plot(
            xs, means, color=color, marker=marker, label=_named(group["group"], letters, f" (n = {len(group['runs'])})")
        )
    epoch_axis(axes, [point[0] for _, points in drawn for point in points])
    axes.set_ylabel(caption["y"])
    legend_below(figure, axes, 2)
    return figure


def profiles(groups: Sequence[Row], caption: Row, letters: Letters) -> Figure | None:
    """Draw the share of runs and sets above each score; None without evaluation sets."""
    if not groups:
        return None
    figure = new_figure(caption["title"], caption["text"])
    axes = figure.add_subplot()
    scores = [point[0] for group in groups for point in group["points"]]
    room = 0.04 * (max(scores) - min(scores)) or 1.0
    low, high = min(scores) - room, max(scores) + room
    for group, color in zip(groups, COLORS, strict=False):
        xs, shares = zip(*group["points"], strict=True)
        steps = [low, *xs, high], [1.0, *shares, 0.0]
        axes.step(*steps, where="post", color=color, label=_named(group["group"], letters))
    axes.set(xlabel=caption["x"][0], ylabel=caption["y"], ylim=(-0.02, 1.02))
    legend_below(figure, axes, 2)
    return figure


def scatter(rows: Sequence[Row], caption: Row, letters: Letters, *, is_curve: bool = False) -> Figure | None:
    """Draw the metric of groups by some other number; None without two different values."""
    if len({row["x"] for row in rows}) < 2:
        return None
    named = rows if len(rows) <= MAX_LETTERS else []
    height = 4.4 + 0.17 * math.ceil(len(named) / 2)
    figure = new_figure(caption["title"], caption["text"], height=height)
    axes = figure.add_subplot()
    if is_curve:
        axes.plot([row["x"] for row in rows], [row["y"] for row in rows], color=BLUE, linewidth=1.2)
    for row in rows:
        if row["low"] is not None:
            axes.plot([row["x"]] * 2, [row["low"], row["high"]], color=BLUE, linewidth=1.6)
        filled = is_curve or row["is_best"]
        axes.plot(row["x"], row["y"], "D", color=BLUE, markerfacecolor=BLUE if filled else "white", markersize=7)
    axes.margins(x=0.08)
    axes.set(xlabel=caption["x"][0], ylabel=caption["y"])
    _letters_above(axes, named, letters)
    shown = sorted((row["name"] for row in named), key=lambda name: (len(letters[name][0]), letters[name]))
    handles = [Line2D([], [], linestyle="none", label=_named(name, letters)) for name in shown]
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=2, handlelength=0, handletextpad=0)
    return figure


def _letters_above(axes: Axes, rows: Sequence[Row], letters: Letters) -> None:
    """Write the letters of points above the picture, each with a thin line down to its own, so that none is hidden."""
    if not rows:
        return
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    gap = 0.035 * (high - low)
    wanted = [row["x"] for row in rows]
    for row, place in zip(rows, spread(wanted, gap, low + gap / 2, high - gap / 2), strict=True):
        share = (place - low) / (high - low)
        axes.annotate(
            letters[row["name"]][0],
            xy=(row["x"], row["y"] if row["high"] is None else row["high"]),
            xytext=(share, 1.02),
            textcoords="axes fraction",
            ha="center",
            va="bottom",
            fontsize=9,
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "linestyle": ":", "shrinkB": 2},
        )


def _named(name: Any, letters: Letters, end: str = "") -> str:
    """A group's letter and its name, whose middle is cut where it is too long."""
    letter, shown = letters.get(str(name), ("", str(name)))
    return f"{letter}  {label(shortened(shown, MAX_NAME), MAX_NAME)}{end}".lstrip()


def _value_named(row: Row) -> str:
    """A value of a key: the key is cut, as the value is what tells rows apart."""
    end = f" = {shortened(str(row['value']), MAX_NAME)}  (n = {row['n']})"
    return label(shortened(str(row["key"]), max(MAX_NAME - len(end), 12)) + end, 2 * MAX_NAME)


def _forest(rows: Sequence[Row], caption: Row) -> tuple[Figure, Axes, Sequence[Row]]:
    shown = rows[:MAX_ROWS]
    left_out = f" · the first {len(shown)} of {len(rows)}" if len(shown) < len(rows) else ""
    figure = new_figure(caption["title"], caption["text"], height=1.7 + 0.34 * len(shown))
    axes = figure.add_subplot()
    axes.set_xlabel(caption["x"][0] + left_out)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    return figure, axes, shown


def _points(axes: Axes, rows: Sequence[Row], is_filled: Sequence[bool]) -> None:
    for place, (row, filled) in enumerate(zip(rows, is_filled, strict=True)):
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=BLUE, linewidth=1.8, zorder=2)
        axes.plot(row["y"], place, "D", color=BLUE, markerfacecolor=BLUE if filled else "white", markersize=7, zorder=4)


def _means(runs: Sequence[Row]) -> Iterator[tuple[float, float, float, float]]:
    """Epoch, mean, lowest and highest f1, at the epochs that all runs have."""
    with_points = [dict(zip(run["x"], run["f1"], strict=True)) for run in runs if run["x"]]
    if not with_points:
        return
    for x in sorted(set.intersection(*(set(run) for run in with_points))):
        values = [run[x] for run in with_points]
        yield x, sum(values) / len(values), min(values), max(values)
