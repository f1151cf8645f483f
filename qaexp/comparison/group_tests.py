"""Tests one group of runs against another, by the kind of test that their seeds allow, or says why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.observations import Design
from qaexp.comparison.statistics.difference import Codes, Difference, Floats, Part, Variance
from qaexp.comparison.statistics.paired import cluster_bootstrap, cluster_t, paired_groups, separate_groups
from qaexp.comparison.statistics.spread import Factor, level_means, pooled_paired, pooled_separate
from qaexp.runs.score_intervals import MIN_CLUSTERS

# Seeds the bootstrap: the same inputs give the same numbers.
SEED = 20_260_501

RUNS, SAME_SEEDS, OTHER_SEEDS, ONE_SEED = "runs", "same seeds", "other seeds", "one seed"

# The reason for `ONE_SEED`, whose difference keeps its interval over questions.
NO_PAIR = "one side has a single seed"

# How the reason of a contrast ends that has too few clusters.
TOO_FEW_CLUSTERS = f"nothing can be said with fewer than {MIN_CLUSTERS}"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A group as a test takes it.

    Attributes:
        scores: In percent [runs, questions].
        design: Which of the runs are observations.
    """

    scores: Floats
    design: Design

    @property
    def observations(self) -> Floats:
        """[observations, questions]."""
        return self.design.observations(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class GroupTest:
    """What a test gave.

    Attributes:
        kind: `runs`, `same seeds`, `other seeds` or `one seed`.
        difference: With infinite uncertainty if nothing can be said.
        reason: Why nothing can be said; None if something can.
    """

    kind: str
    difference: Difference
    reason: str | None = None


def kind_of(a: Design, b: Design) -> str:
    """What two groups allow: one run each, paired or separate seeds, or one side with a single seed."""
    if len(a.rows) == 1 and len(b.rows) == 1:
        return RUNS
    if 1 in (len(a.rows), len(b.rows)):
        return ONE_SEED
    return SAME_SEEDS if set(a.seeds) == set(b.seeds) else OTHER_SEEDS


def compare_sides(
    a: Side,
    b: Side,
    clusters: Codes,
    pooled: PooledSeeds | None = None,
    *,
    score: str = "",
    unit: str = "paragraphs",
    any_look: bool = True,
) -> GroupTest:
    """Test b against a.

    Args:
        a: One group.
        b: The other.
        clusters: The cluster of each question, counted from 0.
        pooled: What seeds do in all groups of the family.
        score: The score's name, by which `pooled` knows it.
        unit: What a cluster is, in the plural, for the reason.
        any_look: Whether the test holds however often one looks while seeds are added; else for one planned look.
    """
    kind = kind_of(a.design, b.design)
    if reason := _obstacle(a.design, b.design, clusters, unit):
        return GroupTest(kind, untested(a, b), reason)
    one, two = a.observations, b.observations
    if kind == RUNS:
        return GroupTest(kind, cluster_bootstrap(two[0] - one[0], clusters, np.random.default_rng(SEED)))
    if kind == ONE_SEED:
        return GroupTest(kind, cluster_t(two.mean(axis=0) - one.mean(axis=0), clusters), NO_PAIR)
    if kind == SAME_SEEDS:
        two = two[[b.design.seeds.index(seeds) for seeds in a.design.seeds]]
        # If both have the same scores, the seeds of other groups say nothing about these two.
        shared = None if np.array_equal(one, two) else pooled
        found = paired_groups(one, two, clusters, factors=_factors(a.design, score, shared, is_paired=True))
    else:
        factors = tuple(_factors(side.design, score, pooled, is_paired=False) for side in (a, b))
        found = separate_groups(one, two, clusters, factors=(factors[0], factors[1]))
    return GroupTest(kind, found.at_any_look() if any_look else found)


def untested(a: Side, b: Side) -> Difference:
    """The difference b - a, of which only the size is known."""
    points = b.design.mean(b.scores) - a.design.mean(a.scores)
    return Difference(points, -np.inf, np.inf, 1.0, np.inf, 0.0, Variance((), (np.inf, 0.0)))


def _obstacle(a: Design, b: Design, clusters: Codes, unit: str) -> str | None:
    num = int(clusters.max()) + 1
    if num < MIN_CLUSTERS:
        return f"{num} {unit[:-1] if num == 1 else unit}: {TOO_FEW_CLUSTERS}"
    return a.problem or b.problem


def _factors(design: Design, score: str, pooled: PooledSeeds | None, *, is_paired: bool) -> tuple[Factor, ...]:
    found = []
    for place, codes in enumerate(design.factors):
        part = pooled.of(score, design, place, is_paired=is_paired) if pooled else None
        found.append(Factor(codes, part))
    return tuple(found)


class PooledSeeds:
    """The variance between seeds, pooled over the groups of a family; with fewer than three, each pair has its own."""

    def __init__(self, groups: Sequence[tuple[Design, dict[str, Floats]]]) -> None:
        """Take the design of each group, and by score the mean of each of its runs."""
        self._groups = [group for group in groups if group[0].factors]
        self._known: dict[tuple[object, ...], Part | None] = {}

    def of(self, score: str, design: Design, place: int, *, is_paired: bool) -> Part | None:
        """The variance that a kind of seed, by its place in the design, gives to a run, or to a pair of runs."""
        key = (score, design.kinds, place, design.seeds if is_paired else None)
        if key not in self._known:
            self._known[key] = self._pooled(score, design, place, is_paired)
        return self._known[key]

    def _pooled(self, score: str, wanted: Design, place: int, is_paired: bool) -> Part | None:
        means = [
            level_means(design.observations(values[score]), design.factors[place])
            for design, values in self._groups
            if score in values and design.kinds == wanted.kinds and (not is_paired or design.seeds == wanted.seeds)
        ]
        if len(means) < 3:
            return None
        return pooled_paired(np.stack(means)) if is_paired else pooled_separate(means)
