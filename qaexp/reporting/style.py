"""The one look of all pictures: colours that colour-blind people tell apart, fonts, sizes; the same bytes each time."""

from __future__ import annotations

import bisect
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from qaexp.runs.formats import visible
from qaexp.runs.metrics import number_of
from qaexp.runs.short_words import shortened

DPI = 150
# Okabe and Ito, "Color universal design" (2008).
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, GREY, PALE = "#222222", "#6b6b6b", "#dddddd"
MAX_LABEL_LENGTH = 60
MAX_FITTED_LENGTH = 300
MAX_NAME_LENGTH = 36
_FINE = 4
"""An axis of scores shows at least so many points: noise must not look like a difference."""

_FONT = "DejaVu Sans"
_TEXT_INCHES = 7.15
_MISSING_GLYPH = "\u25a1"

LOOK: Mapping[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "font.family": _FONT,
    "font.size": 10,
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.dpi": DPI,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw the body in our look, whatever the user's matplotlibrc says; the settings from before come back."""
    with style.context(["default", dict(LOOK)]):
        yield


def new_figure(title: str, subtitle: str, *, height: float = 4.4, column_gap: float = 0.02) -> Figure:
    """Return an empty picture, 7.4 inches wide, with a title and a grey line below it."""
    # The layout leaves a strip for the two lines free, measured in inches.
    layout = ConstrainedLayoutEngine(rect=(0, 0, 0.995, 1 - 0.62 / height), wspace=column_gap)
    figure = Figure(figsize=(7.4, height), layout=layout)
    FigureCanvasAgg(figure)
    title = fitting(title, _TEXT_INCHES, 13, bold=True)
    figure.text(0.015, 1 - 0.1 / height, title, ha="left", va="top", fontsize=13, fontweight="bold")
    # What a run is called comes first, and must not push out what is said after it.
    name, dot, rest = subtitle.partition(" · ")
    subtitle = f"{shortened(name, MAX_NAME_LENGTH)}{dot}{rest}" if dot else subtitle
    figure.text(
        0.015, 1 - 0.37 / height, fitting(subtitle, _TEXT_INCHES, 9), ha="left", va="top", fontsize=9, color=GREY
    )
    return figure


def png(figure: Figure) -> bytes:
    """Return the picture as PNG: the same bytes for the same picture, without date and version."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def label(text: str, max_length: int = MAX_LABEL_LENGTH) -> str:
    r"""Return a text that any picture can show: one line, not too long, no control characters, no missing glyphs.

    >>> label("two\nlines and \U0001f642")
    'two lines and □'
    """
    line = visible(" ".join(text.split()))
    short = line if len(line) <= max_length else f"{line[: max_length - 1]}…"
    return "".join(c if ord(c) in _glyphs() else _MISSING_GLYPH for c in short)


def fitting(text: str, inches: float, font_size: float, *, bold: bool = False) -> str:
    """Return a label that is no wider than so many inches, shortened where it must be; `…` where nothing fits.

    >>> fitting("The capital of France", 0.8, 9), fitting("Paris", 0.8, 9)
    ('The capita…', 'Paris')
    """
    whole = label(text, MAX_FITTED_LENGTH)
    if width_inches(whole, font_size, bold=bold) <= inches:
        return whole
    ends = range(len(whole))
    cut = bisect.bisect_right(ends, inches, key=lambda end: width_inches(f"{whole[:end]}…", font_size, bold=bold)) - 1
    return f"{whole[: max(cut, 0)].rstrip()}…"


def width_inches(text: str, font_size: float, *, bold: bool = False) -> float:
    """Return how wide a text is drawn, in inches."""
    font = get_font(findfont(FontProperties(family=_FONT, weight="bold" if bold else "normal")))
    font.set_size(font_size, 72)
    font.set_text(text)
    # In units of a 64th of a point.
    return float(font.get_width_height()[0] / 64 / 72)


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
    """Return the values moved apart as little as it takes for neighbours to stand `gap` apart, between two bounds.

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


def legend_below(figure: Figure, axes: Axes, num_columns: int) -> None:
    """Put one legend under the picture, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=num_columns)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())
