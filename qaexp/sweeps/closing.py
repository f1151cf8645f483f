"""The table that ends a sweep: the groups over seeds, and which of them are ill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qaexp.reporting.verdict import number
from qaexp.runs.formats import visible
from qaexp.runs.groups import Group
from qaexp.sweeps.health import COLLAPSE

_NUMBERS = (
    ("crossfit_f1", "crossfit_f1", "mean"),
    ("sd", "crossfit_f1", "sd"),
    ("f1", "f1", "mean"),
    ("sd", "f1", "sd"),
    ("exact", "exact", "mean"),
    ("train s", "train_seconds", "mean"),
)
"""Title, metric, and what of it."""


def groups_table(rows: Sequence[Mapping[str, Any]], groups: Sequence[Group]) -> RenderableType:
    """Show the groups of a sweep, so that 80 columns cut no number; a group that answers nothing is no success.

    Args:
        rows: The rows of sweep.json, with the flags of each run.
        groups: Its groups.
    """
    flags = {row["run_id"]: row["flags"] for row in rows if row.get("flags") and row["state"] == "completed"}
    counts = [Counter(flag for run_id in group.run_ids for flag in flags.get(run_id, ())) for group in groups]
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("group", overflow="fold")
    for title in ("n", *(title for title, _, _ in _NUMBERS)):
        table.add_column(title, justify="right", no_wrap=True)
    if any(counts):
        table.add_column("flags", overflow="fold")
    for group, found in zip(groups, counts, strict=True):
        cells = [number(group.metrics[name][part]) for _, name, part in _NUMBERS]
        told = [Text("\n".join(_told(flag, count, group.n) for flag, count in found.items()))] if any(counts) else []
        style = "dim" if COLLAPSE in found else ""
        table.add_row(Text(visible(group.name)), str(group.n), *cells, *told, style=style)
    parts: list[RenderableType] = [Text("means over seeds of the completed runs, in percent", style="bold"), table]
    if any(COLLAPSE in found for found in counts):
        words = f"{COLLAPSE}: answers nothing; its f1 is the share of questions without an answer, no skill"
        parts.append(Text(words, style="bold yellow"))
    return Stacked(*parts)


def _told(flag: str, count: int, n: int) -> str:
    return visible(flag) if count == n else visible(f"{flag} {count}/{n}")
