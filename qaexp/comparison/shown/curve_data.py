"""The curves of a group's runs, thinned where they are long: scores by epoch and the training loss by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.comparison.groups import Group
from qaexp.errors import IntegrityError
from qaexp.runs.number import is_number

MAX_LOSSES = 120
MAX_EPOCHS = 1000
Numbers = dict[str, Any]


def histories(group: Group, names: Mapping[Path, str]) -> list[Numbers]:
    """Of each run the scores by epoch; a run without a readable history.csv has none."""
    found = []
    for entry in group.entries:
        try:
            rows = entry.run.history()
        except IntegrityError:
            rows = []
        kept = [row for row in rows if is_number(row.get("epoch")) and is_number(row.get("f1"))]
        # Of very many evaluations, some at equal distances, including the last.
        step = max(1, math.ceil(len(kept) / MAX_EPOCHS))
        kept = kept[::-1][::step][::-1]
        found.append(
            {
                "name": names[entry.run.path],
                "x": [row["epoch"] for row in kept],
                "f1": [row["f1"] for row in kept],
                "exact": [row.get("exact") if is_number(row.get("exact")) else None for row in kept],
            }
        )
    return found


def losses(group: Group, names: Mapping[Path, str]) -> list[Numbers]:
    """Of each run the training loss by step, means of neighbours where there are many."""
    found = []
    for entry in group.entries:
        try:
            rows = entry.run.steps().rows
        except IntegrityError:
            rows = []
        kept = [(row["step"], row["loss"]) for row in rows if is_number(row.get("step")) and is_number(row.get("loss"))]
        size = max(1, math.ceil(len(kept) / MAX_LOSSES))
        parts = [kept[begin : begin + size] for begin in range(0, len(kept), size)]
        found.append(
            {
                "name": names[entry.run.path],
                "x": [part[-1][0] for part in parts],
                "y": [round(sum(loss for _, loss in part) / len(part), 4) for part in parts],
            }
        )
    return found
