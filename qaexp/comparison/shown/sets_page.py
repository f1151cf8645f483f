"""Evaluation sets as the report shows them: a table of groups by sets, and the probabilities of improvement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.comparison.result import Comparison
from qaexp.comparison.sets import GroupOverSets, OverSets, each_over_sets
from qaexp.comparison.shown.sets_table import heading, pair_problems, probability, set_notes, with_ends
from qaexp.runs.metrics import number_of


def sets_on_page(comparison: Comparison, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the page needs of each table whose runs have evaluation sets.

    Args:
        comparison: What was found.
        labels: The name of each group as it is shown.
    """
    return [
        {
            "sets": sets,
            "heading": heading(sets),
            "notes": list(set_notes(sets)),
            "rows": [_row(one, sets, labels) for one in sets.groups],
            "pairs": [(labels[pair.a], labels[pair.b], probability(pair.improvement)) for pair in sets.pairs],
            "problems": pair_problems(sets.pairs),
        }
        for _, sets in each_over_sets(comparison)
    ]


def _row(one: GroupOverSets, sets: OverSets, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "group": one.group,
        "label": labels[one.group.name],
        "iqm": one.iqm,
        "shown": with_ends(one.iqm, sets.score),
        "cells": [(one.means[name], number_of(sets.score).shown(one.means[name])) for name in sets.names],
    }
