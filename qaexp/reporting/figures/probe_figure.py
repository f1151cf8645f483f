"""The picture of what a run answers to its probes: one band per question, a block for as long as an answer stays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qaexp.reporting.figures.axes import sparse
from qaexp.reporting.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE, SKY, fitting, new_figure
from qaexp.reporting.figures.training_figures import DEFAULT_RULE, Row
from qaexp.runs.directory import NO_ANSWER
from qaexp.runs.metrics import number_of
from qaexp.runs.number import is_number

# Maximum number of probes: the first ones; report.html shows all.
MAX_PROBES = 10

# Maximum number of evaluations: chosen at equal distances, including the last.
MAX_EVALUATIONS = 500

_BAND_INCHES = 0.78
# The width of all blocks of a band together.
_WIDTH_INCHES = 7.1
_COLORS = (SKY, ORANGE, GREEN, PURPLE, BLUE)


@dataclass(frozen=True, slots=True)
class Block:
    """An answer that stayed the same over `num` evaluations, from evaluation `first` on (counted from 0)."""

    answer: str
    first: int
    num: int


def probes(history: Sequence[Row], settings: Any, run_name: str, rule: str = DEFAULT_RULE) -> Figure | None:
    """Draw the answers to the probes after every epoch; None without probes.

    Args:
        history: The rows of history.csv; their columns `probe_0`, `probe_1`, ... hold the answers.
        settings: The config's list of probes, whatever it is: the questions are taken from it where it has them.
        run_name: The name of the run.
        rule: When the run answers nothing, in words.
    """
    rows = [row for row in history if is_number(row.get("epoch"))]
    columns = list(
        itertools.takewhile(lambda name: rows and name in rows[0], map("probe_{}".format, itertools.count()))
    )
    if not columns:
        return None
    shown = columns[:MAX_PROBES]
    evaluations = sparse(range(len(rows)), MAX_EVALUATIONS)
    rows = [rows[int(place)] for place in evaluations]
    some = "" if len(shown) == len(columns) else f", the first {len(shown)} are shown"
    figure = new_figure(
        "Probe answers",
        f"{run_name} · {len(columns)} probe question{'s' * (len(columns) != 1)}{some} · {rule}",
        height=1.2 + _BAND_INCHES * len(shown),
    )
    axes = figure.add_subplot()
    for band, column in enumerate(shown):
        title = fitting(question(settings, band), _WIDTH_INCHES, 9.5, bold=True)
        axes.text(0, band - 0.2, title, fontsize=9.5, fontweight="bold", va="bottom", in_layout=False)
        _draw_band(axes, blocks([str(row.get(column) or "") for row in rows]), band, len(rows))
    _draw_epochs(axes, [float(row["epoch"]) for row in rows])
    axes.set_ylim(len(shown) - 0.35, -0.6)
    return figure


def question(settings: Any, number: int) -> str:
    """Return the question of a probe as the config holds it, its number where it does not.

    >>> question([{"question": "Who?"}], 0), question(None, 1)
    ('Who?', 'probe 1')
    """
    entry = settings[number] if isinstance(settings, list) and number < len(settings) else None
    found = entry.get("question") if isinstance(entry, Mapping) else None
    return found if isinstance(found, str) and found.strip() else f"probe {number}"


def blocks(answers: Sequence[str]) -> list[Block]:
    """Return the answers with equal neighbours put together; no answer is the empty text.

    >>> blocks(["", "Paris", "Paris"])
    [Block(answer='', first=0, num=1), Block(answer='Paris', first=1, num=2)]
    """
    found, first = [], 0
    for answer, same in itertools.groupby("" if text == NO_ANSWER else text for text in answers):
        num = len(list(same))
        found.append(Block(answer, first, num))
        first += num
    return found


def _colors() -> Iterator[str]:
    return itertools.cycle(_COLORS)


def _draw_band(axes: Axes, found: Sequence[Block], band: int, num_epochs: int) -> None:
    answers = dict.fromkeys(block.answer for block in found if block.answer)
    colors = dict(zip(answers, _colors(), strict=False))
    for block in found:
        empty = not block.answer
        axes.barh(
            band + 0.13,
            block.num,
            left=block.first,
            height=0.46,
            color=PALE if empty else colors[block.answer],
            alpha=0.5 if empty else 0.38,
            edgecolor="white",
            linewidth=2,
        )
        text = fitting(NO_ANSWER if empty else block.answer, _WIDTH_INCHES * block.num / num_epochs - 0.12, 9)
        # Where hardly a letter fits, the colour alone shows that the answer changed.
        if text != "…" and not (text.endswith("…") and len(text) < 4):
            axes.text(
                block.first + block.num / 2,
                band + 0.13,
                text,
                ha="center",
                va="center",
                fontsize=9,
                color=GREY if empty else INK,
                style="italic" if empty else "normal",
                in_layout=False,
            )


def _draw_epochs(axes: Axes, epochs: Sequence[float]) -> None:
    named = sparse(range(len(epochs)), 20)
    axes.set_xticks([place + 0.5 for place in named], [number_of("epoch").shown(epochs[int(place)]) for place in named])
    axes.set(xlabel="epoch", xlim=(0, len(epochs)), yticks=[])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
