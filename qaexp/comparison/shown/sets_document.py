"""What groups reach over their evaluation sets, as JSON and as further columns of the CSV."""

from __future__ import annotations

from typing import Any

from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.sets import GroupOverSets, Interval, OverSets, Pair, each_over_sets

Row = dict[str, Any]


def sets_document(comparison: Comparison) -> list[Row]:
    """One entry for each table whose runs have evaluation sets, as JSON can hold it."""
    numbers = {id(table): number for number, table in enumerate(comparison.tables, start=1)}
    return [_of_table(numbers[id(table)], table, sets) for table, sets in each_over_sets(comparison)]


def set_columns(comparison: Comparison) -> dict[str, Row]:
    """The cells of each group by its name: its interquartile mean, and its mean on each set."""
    found = {}
    for _, sets in each_over_sets(comparison):
        for one in sets.groups:
            start = f"iqm_{sets.score}"
            iqm = one.iqm or Interval(0.0)
            ends = {start: iqm.value if one.iqm else None, f"{start}_low": iqm.low, f"{start}_high": iqm.high}
            found[one.group.name] = ends | {sets.number(name): mean for name, mean in one.means.items()}
    return found


def _of_table(number: int, table: Table, sets: OverSets) -> Row:
    return {
        "table": number,
        "score": sets.score,
        "names": list(sets.names),
        "counted": list(sets.counted),
        "left_out": [{"name": name, "reason": reason} for name, reason in sets.left_out.items()],
        "groups": [_of_group(one, sets) for one in sets.groups],
        "improvement": [_of_pair(pair, table) for pair in sets.pairs],
    }


def _of_group(one: GroupOverSets, sets: OverSets) -> Row:
    return {
        "number": one.group.number,
        "name": one.group.name,
        "means": dict(one.means),
        "scores": dict(zip(sets.counted, one.scores.T.tolist(), strict=True)),
        "iqm": None if one.iqm is None else {"mean": one.iqm.value, **_ends(one.iqm)},
        "profile": [list(point) for point in one.profile],
    }


def _of_pair(pair: Pair, table: Table) -> Row:
    return {
        "a": pair.a,
        "b": pair.b,
        "a_number": table.group(pair.a).number,
        "b_number": table.group(pair.b).number,
        "probability": pair.improvement.value,
        **_ends(pair.improvement),
    }


def _ends(found: Interval) -> Row:
    return {"low": found.low, "high": found.high, "no_interval": found.problem}
