"""One simulated experiment: its scores, and what qaexp says about it, by the functions that `qaexp compare` calls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import numpy as np

from qaexp.comparison import group_tests
from qaexp.comparison.contrasts import how
from qaexp.comparison.entries import Entry
from qaexp.comparison.estimates import SEEDS, Estimate, estimates
from qaexp.comparison.family import Family, ScoreTest
from qaexp.comparison.group_tests import RUNS, PooledSeeds, Side, compare_sides
from qaexp.comparison.scores import Measured
from qaexp.comparison.statistics import paired as tests
from qaexp.comparison.statistics.difference import Codes, Difference, Floats
from qaexp.comparison.verdict import BETTER, WORSE, Circumstances, Tested, judge
from qaexp.runs.metrics import number_of
from tests.benchmarks.simulation.shapes import Runs, Shape
from tests.benchmarks.simulation.worlds import World, expected, score, shift_for


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn for a group.

    Attributes:
        runs: Its runs.
        of_questions: Hardness, and how well each setting of the config does [settings, questions].
        of_seeds: How good each run's seeds are [runs].
        chance: [runs, questions].
        seed: The standard deviation of what one kind of seed does.
    """

    runs: Runs
    of_questions: Floats
    of_seeds: Floats
    chance: Floats
    seed: float


@dataclass(frozen=True, eq=False)
class Experiment:
    """Groups of runs of known truth."""

    world: World
    shape: Shape
    clusters: Codes
    score: str
    groups: Sequence[Drawn]

    def shift(self, group: int, points: float) -> float:
        return shift_for(self.world, group, points, self.score, self.shape.num_causes, self.shape.offsets)

    def side(self, group: int, points: float) -> Side:
        """The group's scores where it is so many points better than the first one."""
        drawn = self.groups[group]
        sums = drawn.of_questions[drawn.runs.settings] + drawn.of_seeds[:, None] + drawn.chance
        return Side(score(sums + self.shift(group, points), self.score), drawn.runs.design)

    def truth(self, group: int, points: float, over: str) -> float:
        """What a group's own interval speaks about: other seeds on these questions, or these runs on other ones."""
        drawn, shift = self.groups[group], self.shift(group, points)
        if over == SEEDS:
            spread = math.hypot(self.world.chance, drawn.seed * math.sqrt(self.shape.num_causes))
            return float(expected(drawn.of_questions + shift, spread, self.score).mean())
        spread = math.hypot(self.world.of_questions, self.world.chance)
        offsets = np.array(self.shape.offsets)[drawn.runs.settings]
        return float(expected(offsets + drawn.of_seeds + shift, spread, self.score).mean())


def draw(
    world: World, shape: Shape, clusters: Codes, score_name: str, num_groups: int, generator: np.random.Generator
) -> Experiment:
    """Draw an experiment."""

    def normal(*size: int) -> Floats:
        return generator.standard_normal(size, dtype=np.float32)

    num, num_clusters = len(clusters), int(clusters.max()) + 1
    hard = world.hardness * normal(num) + world.paragraph * normal(num_clusters)[clusters]
    groups = []
    for group in range(num_groups):
        runs, seed = shape.runs(group), world.seed_of(group)
        each = [
            offset
            + world.config_and_question * normal(num)
            + world.config_and_paragraph * normal(num_clusters)[clusters]
            for offset in shape.offsets
        ]
        of_seeds = np.zeros(runs.num)
        for codes in runs.causes:
            of_seeds += seed * normal(int(codes.max()) + 1)[codes]
        groups.append(Drawn(runs, hard + np.stack(each), of_seeds, world.chance * normal(runs.num, num), seed))
    return Experiment(world, shape, clusters, score_name, groups)


@dataclass(frozen=True, eq=False)
class Said:
    """What qaexp says about one contrast."""

    difference: Difference
    tested: Tested
    verdict: str

    @property
    def is_found(self) -> bool:
        return self.verdict in (BETTER, WORSE)

    def covers(self, points: float) -> bool:
        """Whether the interval holds the truth; no interval leaves nothing out."""
        low, high = self.tested.low, self.tested.high
        return low is None or high is None or low <= points <= high


def said(groups: Sequence[Side], clusters: Codes, score_name: str) -> dict[tuple[int, int], Said]:
    """What qaexp says about each pair of groups."""
    pooled = PooledSeeds([(side.design, {score_name: side.scores.mean(axis=1)}) for side in groups])
    pairs = [(a, b) for a in range(len(groups)) for b in range(a + 1, len(groups))]
    outcomes = [_outcome(groups[a], groups[b], clusters, pooled, score_name) for a, b in pairs]
    tested = Family([{score_name: outcome} for outcome in outcomes]).corrected()
    found = {}
    for (a, b), outcome, one in zip(pairs, outcomes, tested, strict=True):
        told = how(outcome.kind, groups[a].design, groups[b].design)
        case = Circumstances(score_name, number_of(score_name).relevant, told, outcome.found.reason)
        verdict, _ = judge(one[score_name], case)
        found[a, b] = Said(outcome.found.difference, one[score_name], verdict)
    return found


def _outcome(a: Side, b: Side, clusters: Codes, pooled: PooledSeeds, name: str) -> ScoreTest:
    found = compare_sides(a, b, clusters, pooled, score=name, any_look=False)
    counts = None
    if found.kind == RUNS and name == "exact":
        counts = tests.mcnemar(a.scores[0] == 100, b.scores[0] == 100)
    return ScoreTest(found, counts, len(clusters), number_of(name))


def own_estimate(side: Side, clusters: Codes, name: str) -> Estimate:
    """A group's own estimate."""

    class Reader:
        def measured(self, run: Any, _: str) -> Measured:
            return Measured(run, clusters, "")

    nothing: Any = None
    entries: Any = [
        Entry(run=values, measure=nothing, metrics={name: float(values.mean())}, seeds=(place,), collapse=None)
        for place, values in enumerate(side.scores)
    ]
    reader: Any = Reader()
    return estimates(entries, side.design, reader)[name]


@cache
def _counts(num: int, size: int) -> Floats:
    return np.random.default_rng(group_tests.SEED).multinomial(num, np.full(num, 1 / num), size=size).astype(np.float64)


class _SameDraws:
    """The bootstrap's generator always starts from one seed: what it draws is kept."""

    def multinomial(self, num: int, _: Floats, size: int) -> Floats:
        return _counts(num, size)


@contextmanager
def kept_resamples() -> Iterator[None]:
    """Draw the resamples once for each number of clusters: the same results in a tenth of the time."""

    def bootstrap(values: Floats, clusters: Codes, _: np.random.Generator) -> Difference:
        generator: Any = _SameDraws()
        return tests.cluster_bootstrap(values, clusters, generator)

    with mock.patch.object(group_tests, "cluster_bootstrap", bootstrap):
        yield
