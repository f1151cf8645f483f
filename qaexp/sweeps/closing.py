"""The table that ends a sweep: the groups over seeds, and which of them are ill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qaexp.reporting.numbers.advice import number
from qaexp.runs.directory import COLLAPSE
from qaexp.runs.readers.repeats import Group
from qaexp.storage.formats import one_line


@dataclass(frozen=True, slots=True)
class _Column:
    """Numbers of the groups: `part` (mean or sd) of a metric; the lowest `rank` goes first for want of room."""

    title: str
    metric: str
    part: str
    rank: int

    def cells(self, groups: Sequence[Group]) -> list[str]:
        return [number(group.metrics[self.metric][self.part]) for group in groups]

    def width(self, groups: Sequence[Group]) -> int:
        return max(map(len, (self.title, *self.cells(groups)))) + 1


_COLUMNS = (
    _Column("crossfit_f1", "crossfit_f1", "mean", 9),
    _Column("sd", "crossfit_f1", "sd", 9),
    _Column("f1", "f1", "mean", 9),
    _Column("sd", "f1", "sd", 1),
    _Column("exact", "exact", "mean", 2),
    _Column("train s", "train_seconds", "mean", 3),
)

_LEAST = 12
"""Names are never narrower."""

_ENOUGH = 30
"""Columns of numbers go before a name has less room than it needs, up to so many characters."""


def groups_table(rows: Sequence[Mapping[str, Any]], groups: Sequence[Group], width: int) -> RenderableType:
    """Show the groups of a sweep; one that answers nothing does not look like a success.

    Args:
        rows: The rows of sweep.json, with the flags of each run.
        groups: Its groups.
        width: Of the terminal; where it is short of room, columns go, and then names break between words: no swept
            value and no number is cut.
    """
    flags = {row["run_id"]: row.get("flags", ()) for row in reversed(rows) if row["state"] == "completed"}
    counts = [Counter(flag for run_id in group.run_ids for flag in flags.get(run_id, ())) for group in groups]
    names, told = (
        [one_line(group.name) for group in groups],
        [_told(group, found) for group, found in zip(groups, counts, strict=True)],
    )
    least = max(min(max(map(len, names)), _ENOUGH), _longest(names))
    count_width = max(len(str(group.n)) for group in groups) + 1
    columns = _fitting(groups, width - count_width - least - 1 - _longest(told))
    room = width - count_width - sum(column.width(groups) for column in columns)
    flags_width = min(max(len(line) for text in told for line in text.split("\n")), room - 1 - least)
    flags_width = max(flags_width, _longest(told))
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    name_width = max(min(max(map(len, names)), room - 1 - flags_width), _LEAST)
    table.add_column("group", overflow="fold", width=name_width)
    for title in ("n", *(column.title for column in columns)):
        table.add_column(title, justify="right", no_wrap=True)
    if any(counts):
        table.add_column("flags", overflow="fold", width=max(flags_width, len("flags")))
    cells = [column.cells(groups) for column in columns]
    for place, group in enumerate(groups):
        more = [Text(told[place])] if any(counts) else []
        style = "dim" if COLLAPSE in counts[place] else ""
        table.add_row(Text(names[place]), str(group.n), *(column[place] for column in cells), *more, style=style)
    parts: list[RenderableType] = [Text("means over seeds of the completed runs, in percent", style="bold"), table]
    if any(COLLAPSE in found for found in counts):
        words = (
            f"{COLLAPSE}: answers nothing, at threshold 0 or at its tuned one; its score there is the share of "
            "questions without an answer, no skill"
        )
        parts.append(Text(words, style="bold yellow"))
    return Stacked(*parts)


def _fitting(groups: Sequence[Group], room: int) -> list[_Column]:
    """The columns for which there is room."""
    columns = list(_COLUMNS)
    for leaving in sorted((column for column in _COLUMNS if column.rank < 9), key=lambda column: column.rank):
        if sum(column.width(groups) for column in columns) > room:
            columns.remove(leaving)
    return columns


def _longest(texts: Sequence[str]) -> int:
    """The widest word: what cannot be wrapped."""
    return max((len(word) for text in texts for word in text.split()), default=0)


def _told(group: Group, found: Mapping[str, int]) -> str:
    """A line a flag, with how many runs raised it where not all did."""
    return "\n".join(
        one_line(name if count == group.n else f"{name} {count}/{group.n}") for name, count in found.items()
    )
