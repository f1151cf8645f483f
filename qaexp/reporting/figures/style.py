"""The look of all pictures: fonts, sizes, colours that colour-blind people can tell apart; the same bytes each time."""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine

from qaexp.runs.short_words import shortened
from qaexp.storage.formats import visible

DPI = 150
# Okabe and Ito, "Color universal design" (2008).
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, GREY, PALE = "#222222", "#6b6b6b", "#dddddd"
MAX_LABEL_LENGTH = 60
MAX_FITTED_LENGTH = 300
MAX_NAME_LENGTH = 36
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
    # The run's name comes first and must not push out the rest.
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
    """Return a label of at most this width in inches, shortened if needed; `…` if nothing fits.

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


def legend_below(figure: Figure, axes: Axes, num_columns: int) -> None:
    """Put one legend under the picture, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=num_columns)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())
