"""How numbers and tables are written in docs/statistics.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.benchmarks.simulation.plan import plan

Results = dict[str, Any]


def percent(rate: float | None) -> str:
    """A rate in percent, with a digit.

    >>> percent(0.0525), percent(None)
    ('5.2', '-')
    """
    return "-" if rate is None else f"{100 * rate:.1f}"


def lowest(found: Results | None, names: Iterable[str]) -> float | None:
    """The lowest of the rates that a cell has."""
    return min((found[name] for name in names if name in found), default=None) if found else None


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns but the first stand to the right."""
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)]), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def times(cells: Results, kind: str, *clusters: str, score: str = "f1") -> str:
    """How many experiments the cells of a table are over."""
    wanted = [cell for cell in plan() if (cell.kind, cell.score) == (kind, score) and cell.clusters in clusters]
    found = sorted({cells[cell.key]["repetitions"] for cell in wanted if cell.key in cells})
    if not found:
        return ""
    told = f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
    return f"{told} experiments a cell.\n\n"
