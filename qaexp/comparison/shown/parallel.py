"""Every run as a line through what sets groups apart: the numbers behind the parallel picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.comparison.dimensions import Dimension
from qaexp.comparison.entries import Entry
from qaexp.comparison.result import Table
from qaexp.runs.number import is_number

MAX_PARALLEL = 500
# With more numbers than this, an axis is a numeric scale.
MAX_CATEGORIES = 7

# Ratio of the largest to the smallest number from which an axis is logarithmic.
MANY_TIMES = 30

MAX_DIMENSIONS = 8
Numbers = dict[str, Any]


def parallel(table: Table, metric: str, names: Mapping[Path, str], found: Sequence[Dimension]) -> Numbers:
    """Return every run as a line through what differs, and its metric; empty if only one thing differs.

    Args:
        table: The groups.
        metric: The last axis.
        names: What sets each run apart, by its path.
        found: What sets the groups apart, in their order.
    """
    rows: list[tuple[int, Entry]] = [
        (place, entry) for place, group in enumerate(table.groups) for entry in group.entries if metric in entry.metrics
    ][:MAX_PARALLEL]
    if len(found) < 2 or len(rows) < 2:
        return {}
    scales = [_scale(one) for one in found[:MAX_DIMENSIONS]]
    return {
        "dimensions": [*scales, {"name": metric, "categories": None}],
        "rows": [
            [
                *(_cell(one, scale["categories"], place) for one, scale in zip(found, scales, strict=False)),
                entry.metrics[metric],
            ]
            for place, entry in rows
        ],
        "names": [names[entry.run.path] for _, entry in rows],
    }


def _scale(one: Dimension) -> Numbers:
    """A numeric scale if there are many numbers, else one place for each value, in order."""
    pairs = dict(zip(one.texts, one.values, strict=True))
    if len(pairs) > MAX_CATEGORIES and all(map(is_number, pairs.values())):
        is_log = min(pairs.values()) > 0 and max(pairs.values()) / min(pairs.values()) > MANY_TIMES
        return {"name": one.name, "categories": None, "is_log": is_log}
    return {"name": one.name, "categories": sorted(pairs, key=lambda text: pairs[text])}


def _cell(one: Dimension, categories: Sequence[str] | None, place: int) -> Any:
    return one.values[place] if categories is None else categories.index(one.texts[place])
