"""A seed that lies far from its siblings, as a clause of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.comparison.shown.first_table import NUMBERS_AS_WORDS, FirstTable

Row = Mapping[str, Any]


def far_from_siblings(table: FirstTable, group: Row, *, by_name: bool = False) -> str:
    """A remark about a seed that is far from the others; by name where the sentence speaks of two groups."""
    values = table.values(group)
    whose = "its" if group is table.leader and not by_name else f"{table.name(group)}'s"
    if len(values) == 2 and table.is_percent and abs(values[0] - values[1]) > 20:
        return f", but {whose} two {table.siblings} are far apart ({min(values):.0f} and {max(values):.0f})"
    told = far_seed(table, group, whose)
    return f", but {told}" if told else ""


def far_seed(table: FirstTable, group: Row, whose: str) -> str | None:
    """The one of three or more seeds that is far from the others, as a clause; None where there is none."""
    found = table.far(group)
    if found is None:
        return None
    _, value, others = found
    count = len(table.values(group))
    where = "below" if value < others else "above"
    numbers = f"({value:.0f} against {others:.0f})"
    return f"one of {whose} {NUMBERS_AS_WORDS.get(count, count)} {table.siblings} lies far {where} the others {numbers}"
