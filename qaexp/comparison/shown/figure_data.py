"""The numbers behind the report's figures, as plain JSON: curves, intervals, effects, questions that flipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qaexp.comparison.dimensions import dimensions
from qaexp.comparison.effects import learning_curve, quality_and_cost, seed_shares
from qaexp.comparison.group_answers import stability
from qaexp.comparison.groups import Group
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.sets import each_over_sets
from qaexp.comparison.short_numbers import shorten_numbers
from qaexp.comparison.shown.captions import captions
from qaexp.comparison.shown.curve_data import histories, losses
from qaexp.comparison.shown.effect_data import effect_data
from qaexp.comparison.shown.flip_data import flip_data
from qaexp.comparison.shown.parallel import parallel
from qaexp.comparison.slices import slice_differences, sliced
from qaexp.comparison.verdict import COLLAPSED
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.repeats import SEED_KEYS

# Groups whose curves are drawn: the best ones, and the baseline.
MAX_CURVES = 12
Numbers = dict[str, Any]


def figure_data(comparison: Comparison) -> Numbers:
    """Return the numbers of all figures of the first table; an empty part is not drawn."""
    if not comparison.tables:
        return {}
    table, metric = comparison.tables[0], comparison.options.metric
    drawn = _drawn(table)
    pair = comparison.main_pair
    row, apart = number_of(metric), dimensions(table.groups)
    score = sliced(metric, *pair) if pair else "f1"
    effects, effects_told, aliased = effect_data(comparison, apart)
    return {
        "captions": {id: asdict(caption) for id, caption in captions(comparison).items()},
        "groups": _groups(table, pair or ()),
        "metric": metric,
        "decimals": row.decimals,
        "limits": [row.low, row.high],
        "baseline": table.baseline,
        "intervals": [_interval(group, metric) for group in table.groups if metric in group.metrics],
        "contrasts": [
            {
                "name": contrast.b,
                "y": found.difference.difference,
                "low": found.low,
                "high": found.high,
                "verdict": contrast.verdict,
                "score": contrast.metric,
            }
            for contrast in table.contrasts
            if contrast.a == table.baseline
            and contrast.verdict != COLLAPSED
            and (found := contrast.tests[contrast.metric])
        ],
        "curves": [{"group": group.name, "runs": histories(group, comparison.names)} for group in drawn],
        "losses": [{"group": group.name, "runs": losses(group, comparison.names)} for group in drawn],
        "effects": effects,
        "effects_told": effects_told,
        "aliased": aliased,
        "seed_shares": seed_shares(table.groups, metric),
        "profile": _profiles(comparison),
        "parallel": parallel(table, metric, comparison.names, apart),
        "learning": [asdict(point) for point in learning_curve(table.groups, metric)],
        "cost": _cost(comparison),
        "sliced": score,
        "slices": _slices(comparison, score),
        "differences": {name: _differences_of(name) for name in (comparison.about, metric, score)},
        "stability": [
            {"group": group.name, **counts} for group in drawn if (counts := stability(group, comparison.reader))
        ],
        "flips": flip_data(*pair, comparison.reader) if pair else None,
    }


def _slices(comparison: Comparison, score: str) -> list[Numbers]:
    """Where the two groups of the main pair differ."""
    pair = comparison.main_pair
    if pair is None:
        return []
    found = slice_differences(*pair, comparison.reader, score, any_look=comparison.options.any_look)
    return [asdict(one) for one in found]


def _differences_of(name: str) -> Numbers:
    """How differences in a score are drawn: their digits, and how large they can be; None: no bound."""
    row = number_of(name)
    return {"decimals": row.decimals, "width": row.width if math.isfinite(row.width) else None}


def _cost(comparison: Comparison) -> list[Numbers]:
    """Quality against cost; of seeds nothing, as they are better or cheaper by chance only."""
    if comparison.options.by in SEED_KEYS:
        return []
    return [asdict(point) for point in quality_and_cost(comparison.tables[0].groups, comparison.options.metric)]


def _profiles(comparison: Comparison) -> list[Numbers]:
    """The performance profiles of the first table's best groups and its baseline."""
    drawn = {group.name for group in _drawn(comparison.tables[0])}
    found = (sets for table, sets in each_over_sets(comparison) if table is comparison.tables[0])
    return [
        {"group": one.group.name, "points": [list(point) for point in one.profile]}
        for sets in found
        for one in sorted(sets.groups, key=lambda one: one.group.number)
        if one.profile and one.group.name in drawn
    ]


def _groups(table: Table, pair: Sequence[Group]) -> list[Numbers]:
    """The letter and the shown name of each group, and of the main pair, which may be in another table."""
    groups = [*table.by_number, *(group for group in pair if group not in table.groups)]
    labels = shorten_numbers([group.name for group in groups])
    return [
        {"letter": group.letter, "name": group.name, "label": label}
        for group, label in zip(groups, labels, strict=True)
    ]


def _drawn(table: Table) -> list[Group]:
    by_rank = table.by_number
    kept = {group.name for group in by_rank[:MAX_CURVES]} | {table.baseline}
    return [group for group in by_rank if group.name in kept]


def _interval(group: Group, metric: str) -> Numbers:
    found = group.metrics[metric]
    values = [entry.metrics[metric] for entry in group.entries if metric in entry.metrics]
    return {
        "name": group.name,
        "n": group.n,
        "y": found.mean,
        "low": found.low,
        "high": found.high,
        "over": found.over,
        "values": values,
        "is_collapsed": group.is_collapsed,
    }
