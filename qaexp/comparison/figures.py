"""The main figures of a comparison as PNG files, drawn from the same numbers as the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qaexp.reporting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    epoch_axis,
    label,
    legend_below,
    look,
    new_figure,
    png,
)

MAX_ROWS = 30
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
Row = Mapping[str, Any]


def pictures(data: Mapping[str, Any]) -> dict[str, bytes]:
    """Return PNG files by name without suffix: only those there is something for.

    Args:
        data: Of `figure_data`.
    """
    if not data:
        return {}
    with look():
        drawn = {
            "intervals": intervals(data["intervals"], data["metric"], data["title"], data["limits"]),
            "contrasts": contrasts(data["contrasts"], str(data["baseline"])),
            "curves": curves(data["curves"]),
            "effects": effects(data["effects"], data["metric"]),
            "learning_curve": scatter(data["learning"], "Learning curve", "training examples", data["metric"]),
            "quality_and_cost": scatter(data["cost"], "Quality against cost", "train seconds", data["metric"]),
        }
        return {name: png(figure) for name, figure in drawn.items() if figure is not None}


def intervals(rows: Sequence[Row], metric: str, title: str, limits: Sequence[float | None]) -> Figure | None:
    """Draw each group's mean, its interval and its runs; None without groups.

    Args:
        rows: A row a group.
        metric: What is drawn.
        title: The same with its unit.
        limits: The least and the greatest value that is possible; None: no bound.
    """
    if not rows:
        return None
    figure, axes, shown = _forest(
        rows, f"{metric} of each group", "95 % intervals over seeds; hollow: too few seeds, over questions alone"
    )
    for place, row in enumerate(shown):
        axes.plot(row["values"], [place] * len(row["values"]), "o", color=GREY, markersize=4, alpha=0.7, zorder=3)
    axes.set_yticks(range(len(shown)), [label(f"{row['name']}  (n = {row['n']})") for row in shown])
    _points(axes, shown, [row["over"] == "seeds" for row in shown])
    axes.set_xlabel(title)
    low, high = axes.get_xlim()
    # A little room beyond what is possible, so that a point there is not cut.
    least, most = limits
    room = 0.01 * (high - low)
    axes.set_xlim(low if least is None else max(low, least - room), high if most is None else min(high, most + room))
    return figure


def contrasts(rows: Sequence[Row], baseline: str) -> Figure | None:
    """Draw what each group is above or below the baseline; None without contrasts."""
    if not rows:
        return None
    subtitle = "intervals at the level of Holm's correction; filled: better or worse"
    figure, axes, shown = _forest(rows, f"Difference from {label(baseline, 50)}", subtitle)
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(shown)), [label(str(row["name"])) for row in shown])
    _points(axes, shown, [row["verdict"] in ("better", "worse") for row in shown])
    axes.set_xlabel(f"points of {rows[0]['score']}")
    return figure


def effects(rows: Sequence[Row], metric: str) -> Figure | None:
    """Draw the main effects; None where no key was swept."""
    if not rows:
        return None
    named = [{**row, "y": row["effect"]} for row in rows]
    figure, axes, shown = _forest(
        named, "Main effects", "distance from the key's mean, the other keys being equal; 95 % intervals"
    )
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(shown)), [label(f"{row['key']} = {row['value']}  (n = {row['n']})") for row in shown])
    _points(axes, shown, [row["low"] is not None and not row["low"] <= 0 <= row["high"] for row in shown])
    axes.set_xlabel(f"effect on {metric}")
    return figure


def curves(groups: Sequence[Row]) -> Figure | None:
    """Draw dev f1 by epoch: the mean over seeds and a band from the lowest to the highest; None without histories."""
    drawn = [(group, list(_means(group["runs"]))) for group in groups[: len(COLORS)]]
    drawn = [(group, points) for group, points in drawn if points]
    if not drawn:
        return None
    figure = new_figure("Dev f1 by epoch", "mean over a group's seeds; band: lowest to highest seed")
    axes = figure.add_subplot()
    for (group, points), color, marker in zip(drawn, COLORS, MARKERS, strict=False):
        xs, means, lows, highs = zip(*points, strict=True)
        axes.fill_between(xs, lows, highs, color=color, alpha=0.15, linewidth=0)
        axes.plot(xs, means, color=color, marker=marker, label=label(f"{group['group']}  (n = {len(group['runs'])})"))
    epoch_axis(axes, [point[0] for _, points in drawn for point in points])
    axes.set_ylabel("dev f1 (%)")
    legend_below(figure, axes, 2)
    return figure


def scatter(rows: Sequence[Row], title: str, x: str, metric: str) -> Figure | None:
    """Draw the metric of groups by some other number; None for fewer than two."""
    if len(rows) < 2:
        return None
    figure = new_figure(
        title, "means over seeds, 95 % intervals" + ("; filled: the Pareto front" if "cost" in title else "")
    )
    axes = figure.add_subplot()
    is_curve = "cost" not in title
    if is_curve:
        axes.plot([row["x"] for row in rows], [row["y"] for row in rows], color=BLUE, linewidth=1.2)
    for row in rows:
        if row["low"] is not None:
            axes.plot([row["x"]] * 2, [row["low"], row["high"]], color=BLUE, linewidth=1.6)
        filled = is_curve or row["is_best"]
        axes.plot(row["x"], row["y"], "D", color=BLUE, markerfacecolor=BLUE if filled else "white", markersize=7)
        if len(rows) <= 10:
            axes.annotate(
                label(str(row["name"]), 30), (row["x"], row["y"]), xytext=(7, 5), textcoords="offset points", fontsize=8
            )
    axes.margins(x=0.15)
    axes.set(xlabel=x, ylabel=metric)
    return figure


def _forest(rows: Sequence[Row], title: str, subtitle: str) -> tuple[Figure, Axes, Sequence[Row]]:
    shown = rows[:MAX_ROWS]
    left_out = f"; the first {len(shown)} of {len(rows)}" if len(shown) < len(rows) else ""
    figure = new_figure(title, subtitle + left_out, height=1.7 + 0.34 * len(shown))
    axes = figure.add_subplot()
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
