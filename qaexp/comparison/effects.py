"""Three views of a metric: variance by kind of seed, the learning curve, and quality against cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.groups import Group
from qaexp.comparison.statistics.spread import level_means
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER

SIZE_KEY = "num_train_examples"
COST = "train_seconds"


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


def seed_shares(groups: Sequence[Group], metric: str) -> dict[str, float]:
    """How much of the variance inside groups each kind of seed explains, in percent; only where they were crossed.

    Each kind's sum of squares between its values over the total one; the rest is `other`: interactions and chance. If
    one kind is nested in another or combinations are missing, shares cannot be assigned, and the result is empty.
    """
    kept = [group for group in groups if group.design.is_crossed and not group.is_collapsed]
    if not kept or any(metric not in entry.metrics for group in kept for entry in group.entries):
        return {}
    if len({group.design.kinds for group in kept}) > 1:
        return {}
    sums, total = dict.fromkeys(kept[0].design.kinds, 0.0), 0.0
    for group in kept:
        y = group.design.observations(np.array([entry.metrics[metric] for entry in group.entries]))
        total += float(np.sum((y - y.mean()) ** 2))
        for kind, codes in zip(group.design.kinds, group.design.factors, strict=True):
            sums[kind] += float(np.sum((level_means(y, codes)[codes] - y.mean()) ** 2))
    if total == 0:
        return {}
    shares = {kind: 100 * value / total for kind, value in sums.items()}
    return {**shares, "other": max(0.0, 100.0 - sum(shares.values()))}


def learning_curve(groups: Sequence[Group], metric: str) -> list[Point]:
    """The metric by the number of training examples; nothing where that does not vary."""
    points = _points(groups, SIZE_KEY, metric)
    return sorted(points, key=lambda point: (point.x, point.name)) if len({point.x for point in points}) > 1 else []


def quality_and_cost(groups: Sequence[Group], metric: str) -> list[Point]:
    """The metric by train seconds; the Pareto front is marked: groups than which none is both better and cheaper."""
    points = _points(groups, COST, metric)
    sign = -1.0 if number_of(metric).better == LOWER else 1.0
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
        if x in group.metrics and (found := group.metrics.get(metric)) is not None and not group.is_collapsed
    ]
