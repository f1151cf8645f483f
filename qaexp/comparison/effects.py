"""What the swept keys do: main effects, the share of each kind of seed, the learning curve, quality against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaexp.comparison.entries import SEED_KINDS, Entry
from qaexp.comparison.groups import LOWER_IS_BETTER, Group
from qaexp.comparison.tests import LEVEL, quantile

SIZE_KEY = "num_train_examples"
COST = "train_seconds"
MAX_LEVELS = 24


@dataclass(frozen=True, slots=True)
class Effect:
    """What a value of a key does to a metric, the other keys being equal.

    Attributes:
        key: The swept key.
        value: One of its values.
        n: How many runs have it.
        effect: The metric's distance from the mean over the key's values, in its unit.
        low: Lower end of the 95 % interval; None where no runs are left to tell chance by.
        high: Upper end.
    """

    key: str
    value: str
    n: int
    effect: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A group in a learning curve, or in quality against cost.

    Attributes:
        name: The group.
        x: Training examples, or train seconds.
        y: The metric's mean.
        low: Lower end of its 95 % interval.
        high: Upper end.
        n: Runs.
        is_best: No group is better and cheaper (quality against cost only).
    """

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    n: int
    is_best: bool = False


def main_effects(groups: Sequence[Group], metric: str) -> list[Effect]:
    """An additive model of the metric by least squares: each swept key's values, and the seeds where all share them.

    Keys that always change together cannot be told apart, and are one key here.
    """
    rows = [(group, entry) for group in groups for entry in group.entries if metric in entry.metrics]
    keys = _separate_keys(groups)
    if not keys or len(rows) < 3:
        return []
    levels = {key: [repr(value) for value in dict.fromkeys(map(_hashable, values))] for key, values in keys.items()}
    values = {key: [repr(_hashable(group.changes.get(key))) for group, _ in rows] for key in keys}
    columns = [np.ones(len(rows))]
    for key in keys:
        columns += [_coded(values[key], levels[key], level) for level in levels[key][:-1]]
    columns += _seed_columns(groups, rows)
    design = np.stack(columns, axis=1)
    y = np.array([entry.metrics[metric] for _, entry in rows])
    inverse = np.linalg.pinv(design.T @ design)
    beta = inverse @ design.T @ y
    df = len(rows) - int(np.linalg.matrix_rank(design))
    variance = float(np.sum((y - design @ beta) ** 2)) / df if df > 0 else math.nan
    found, place = [], 1
    for key in keys:
        count = len(levels[key]) - 1
        for number, level in enumerate(levels[key]):
            weights = np.zeros(len(columns))
            # Effects sum to zero over a key's values: the last one is minus the sum of the others.
            weights[place : place + count] = -1.0 if number == count else 0.0
            if number < count:
                weights[place + number] = 1.0
            effect, error = float(weights @ beta), math.sqrt(max(float(weights @ inverse @ weights), 0.0) * variance)
            half = quantile(df, (1 + LEVEL) / 2) * error if df > 0 else None
            ends = (None, None) if half is None else (effect - half, effect + half)
            found.append(Effect(key, level.strip("'"), values[key].count(level), effect, *ends))
        place += count
    return found


def seed_shares(entries: Sequence[Entry], metric: str) -> dict[str, float]:
    """How much of the variance of a metric each kind of seed explains, in percent; only where they were swept apart.

    Each kind's sum of squares between its values over the total one; what is left is `other`, interactions and chance.
    """
    entries = [entry for entry in entries if metric in entry.metrics]
    swept = [place for place, _ in enumerate(SEED_KINDS) if len({repr(entry.seeds[place]) for entry in entries}) > 1]
    columns = {tuple(repr(entry.seeds[place]) for entry in entries) for place in swept}
    if len(columns) < 2:
        return {}
    y = np.array([entry.metrics[metric] for entry in entries])
    total = float(np.sum((y - y.mean()) ** 2))
    if total == 0:
        return {}
    shares = {}
    for place in swept:
        labels = np.array([repr(entry.seeds[place]) for entry in entries])
        parts = [y[labels == label] for label in np.unique(labels)]
        shares[f"seeds.{SEED_KINDS[place]}"] = 100 * sum(len(p) * (p.mean() - y.mean()) ** 2 for p in parts) / total
    return {**shares, "other": max(0.0, 100.0 - sum(shares.values()))}


def learning_curve(groups: Sequence[Group], metric: str) -> list[Point]:
    """The metric by the number of training examples; nothing where that does not vary."""
    points = _points(groups, SIZE_KEY, metric)
    return sorted(points, key=lambda point: (point.x, point.name)) if len({point.x for point in points}) > 1 else []


def quality_and_cost(groups: Sequence[Group], metric: str) -> list[Point]:
    """The metric by train seconds; the Pareto front is marked: groups than which none is both better and cheaper."""
    points = _points(groups, COST, metric)
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found = []
    for point in points:
        beaten = any(
            other.x <= point.x
            and sign * other.y >= sign * point.y
            and (other.x < point.x or sign * other.y > sign * point.y)
            for other in points
        )
        found.append(Point(point.name, point.x, point.y, point.low, point.high, point.n, not beaten))
    return sorted(found, key=lambda point: (point.x, point.name))


def _points(groups: Sequence[Group], x: str, metric: str) -> list[Point]:
    return [
        Point(group.name, group.metrics[x].mean, found.mean, found.low, found.high, group.n)
        for group in groups
        if x in group.metrics and (found := group.metrics.get(metric)) is not None
    ]


def _separate_keys(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """The swept keys and their values, those that always change together under the first one's name."""
    keys = dict.fromkeys(key for group in groups for key in group.changes)
    known: dict[tuple[int, ...], str] = {}
    found: dict[str, list[Any]] = {}
    for key in keys:
        values = [_hashable(group.changes.get(key)) for group in groups]
        pattern = tuple(values.index(value) for value in values)
        if pattern not in known and 1 < len(set(pattern)) <= MAX_LEVELS:
            known[pattern] = key
            found[key] = values
    return found


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _coded(values: Sequence[str], levels: Sequence[str], level: str) -> Any:
    """A column of the design: 1 for a level, -1 for the last one, 0 for the others."""
    return np.array([1.0 if value == level else -1.0 if value == levels[-1] else 0.0 for value in values])


def _seed_columns(groups: Sequence[Group], rows: Sequence[tuple[Group, Entry]]) -> list[Any]:
    """Columns for the seeds where every group has the same ones: what they do to all groups is no chance then."""
    seeds = groups[0].seeds
    if len(seeds) < 2 or any(group.seeds != seeds for group in groups):
        return []
    names = [repr(seed) for seed in seeds]
    return [_coded([repr(entry.seeds) for _, entry in rows], names, name) for name in names[:-1]]
