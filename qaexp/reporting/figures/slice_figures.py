"""The picture of where a run fails: what became of the questions, and f1 by kind of question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from qaexp.reporting.figures.style import BLUE, GREEN, GREY, PALE, VERMILION, label, new_figure
from qaexp.reporting.figures.training_figures import DEFAULT_RULE, Row
from qaexp.reporting.numbers.intervals import Group, arms, dependence, group
from qaexp.reporting.numbers.outcomes import RIGHT_NOTHING, RIGHT_SPAN, outcome_shares
from qaexp.reporting.numbers.slice_panels import slice_panels
from qaexp.runs.number import is_number

_OUTCOME_INCHES = 2.6
_ROW_INCHES, _PANEL_INCHES = 0.27, 0.85


def slices(rows: Sequence[Row], predictions: Sequence[Row], run_name: str, rule: str = DEFAULT_RULE) -> Figure | None:
    """Draw the outcomes, and f1 by question word, answer length, context length and number of windows.

    Args:
        rows: The rows of scores.csv.
        predictions: The records of predictions.jsonl; without them the outcomes are left out.
        run_name: The name of the run.
        rule: When the run answers nothing, in words.

    Returns:
        The picture; None without scores.
    """
    scored = [row for row in rows if is_number(row.get("f1"))]
    if not scored:
        return None
    depend = dependence(scored)
    overall = group("all", [row["f1"] for row in scored], depend.labels)
    panels = slice_panels(scored, depend)
    counts = [len(groups) for groups in panels.values()]
    heights = [_PANEL_INCHES + _ROW_INCHES * max(pair) for pair in (counts[:2], counts[2:])]
    figure = new_figure(
        "Where it fails",
        f"{run_name} · {overall.num} dev examples · {depend.words} · {rule}",
        height=0.62 + (_OUTCOME_INCHES if predictions else 0) + sum(heights),
        # Between the columns are the counts of the left panels and the names of the right ones.
        column_gap=0.06,
    )
    lower: Figure | SubFigure = figure
    if predictions:
        ratios = [_OUTCOME_INCHES, sum(heights)]
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=ratios).flat
        _draw_outcomes(upper.subplots(), outcome_shares(predictions))
    grid = lower.subplots(2, 2, height_ratios=heights)
    for axes, (name, groups) in zip(grid.flat, panels.items(), strict=True):
        _draw_groups(axes, f"f1 by {name}", groups, overall.mean)
    for axes in grid[1]:
        axes.set_xlabel(f"f1 (%) · dashed: all, {overall.mean:.1f}")
    return figure


def _draw_outcomes(axes: Axes, shares: Mapping[str, Sequence[Group]]) -> None:
    names, right, height = [], [], 0.0
    ticks = []
    for kind, groups in shares.items():
        num = sum(found.num for found in groups)
        for found in groups:
            good = found.label in (RIGHT_SPAN, RIGHT_NOTHING)
            color = GREEN if good else VERMILION
            axes.barh(height, found.mean, height=0.62, color=color, alpha=0.3)
            axes.errorbar(
                [found.mean], [height], xerr=arms([found]), color=color, fmt="o" if good else "X", capsize=3,
                linewidth=1.4, markersize=6,
            )  # fmt: skip
            ticks.append(height)
            names.append(found.label)
            right.append(f"{found.mean:\u2007>5.1f} % · {found.num} of {num} {kind}")
            height += 1
        height += 0.5
    axes.set_yticks(ticks, names)
    axes.set(title="What became of the questions", xlabel="share of has_ans, of no_ans (%)")
    axes.set(xlim=(-1, 103), ylim=(height - 0.9, -0.6))
    axes.grid(axis="y", visible=False)
    _numbers(axes, ticks, right)


def _draw_groups(axes: Axes, name: str, groups: Sequence[Group], overall: float) -> None:
    rows = [float(row) for row in range(len(groups))]
    axes.axvline(overall, color=GREY, linewidth=1, linestyle="--")
    axes.errorbar(
        [found.mean for found in groups], rows, xerr=arms(groups), color=BLUE, fmt="o", capsize=3, linewidth=1.4
    )
    axes.set_yticks(rows, [label(found.label, 18) for found in groups])
    axes.set(title=name, xlim=(-3, 103), ylim=(len(groups) - 0.4, -0.6))
    axes.grid(axis="y", color=PALE)
    _numbers(axes, rows, [f"{found.num}" for found in groups])
    axes.text(1.02, 1.02, "n", transform=axes.transAxes, fontsize=8.5, color=GREY)


def _numbers(axes: Axes, rows: Sequence[float], texts: Sequence[str]) -> None:
    """Write a text to the right of each row."""
    numbers = axes.secondary_yaxis("right")
    numbers.set_yticks(rows, texts)
    numbers.tick_params(length=0, labelsize=8.5, labelcolor=GREY)
    numbers.spines["right"].set_visible(False)
