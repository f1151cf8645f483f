"""A comparison as a card for a notebook: what was found, and its groups."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from qaexp.comparison.result import Comparison
from qaexp.comparison.shown.document import beside, group_rows
from qaexp.reporting.page.card import Card
from qaexp.runs.metrics import number_of
from qaexp.storage.formats import counted

MAX_ROWS = 30


def comparison_card(comparison: Comparison, document: Mapping[str, Any], title: str = "") -> Card:
    """Return the card of a comparison.

    Args:
        comparison: What was compared.
        document: Its document, which holds the findings.
        title: What it is about; empty: how much was compared.
    """
    metric = document["metric"]
    groups = [group for table in comparison.tables for group in table.groups]
    others = beside(groups, metric)
    found = (row for table in comparison.tables for row in group_rows(table, metric))
    how_much = f"{counted(len(groups), 'group')} of {counted(len(document['runs']), 'run')}"
    left = len(groups) - MAX_ROWS
    return Card(
        title=title or f"Comparison of {how_much} by {metric}",
        lines=[f"{how_much} by {metric}"] if title else [],
        sentences=[str(sentence) for sentence in document["findings"]],
        columns=("group", "verdict", "n", metric, "95 % interval", *others),
        rows=[_row(row, metric, others) for row in islice(found, MAX_ROWS)],
        num_names=2,
        notes=[f"and {counted(left, 'group')} more: .frame() has all of them"] if left > 0 else [],
    )


def _row(row: Mapping[str, Any], metric: str, others: list[str]) -> list[str]:
    number = number_of(metric)
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    interval = "-" if low is None else f"[{number.shown(low)}, {number.shown(high)}] over {row['interval_over']}"
    numbers = [number_of(name).shown(row.get(name)) for name in others]
    return [row["group"], row["verdict"] or "-", str(row["n"]), number.shown(row[metric]), interval, *numbers]
