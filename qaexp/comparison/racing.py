"""The decisions of a race, from scores alone: who leads, who is worse with error control, whether the best is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qaexp.comparison.group_tests import TOO_FEW_CLUSTERS
from qaexp.comparison.statistics.anytime import FIRST_SEEDS
from qaexp.comparison.statistics.difference import Codes, Floats, Part
from qaexp.comparison.statistics.paired import paired_groups
from qaexp.comparison.statistics.spread import pooled_paired
from qaexp.runs.number import LOWER
from qaexp.runs.score_intervals import MIN_CLUSTERS

ALPHA = 0.05
"""So likely, at most, the best configuration is dropped, over a whole race and however many there are."""

MIN_SEEDS = FIRST_SEEDS
"""Nothing is decided before: the p-values that allow for looks at growing numbers of seeds begin here."""

BEST, ALIKE, EQUAL, TOO_FEW = "best", "alike", "equal", "questions"
"""How a race ends: one is left; all that are left are alike within `relevant`; all scores are equal; no number of seeds
would decide between those that are left, as the questions are too few."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A configuration held against the leader.

    Attributes:
        difference: Its mean score less that of the leader, in points.
        low: Lower end of the interval at `level`, which holds at all looks at once.
        high: Upper end.
        p: Of "no difference": with probability u at most it is ever u or less, while seeds are added.
        level: The configuration is dropped where `p` is not above it and it is worse.
        floor: Half of the width that the interval would keep with any number of seeds.
        seed_error: The standard error of `difference` from seeds alone.
    """

    difference: float
    low: float
    high: float
    p: float
    level: float
    floor: float = 0.0
    seed_error: float = float("inf")

    def is_within(self, relevant: float) -> bool:
        """Whether a difference of `relevant` points can be excluded in both directions."""
        return -relevant < self.low and self.high < relevant

    def is_hopeless(self, relevant: float) -> bool:
        """Whether more seeds would hardly show which is better, nor that both are alike."""
        return self.floor >= relevant and abs(self.difference) + 2 * self.seed_error < self.floor


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a race stands after a round.

    Attributes:
        leader: The configuration with the best mean.
        evidence: Of each other one that was open.
        dropped: Those that are worse, with error control.
        verdict: `best`, `alike`, `equal` or `questions`; None while the race is open.
    """

    leader: str
    evidence: Mapping[str, Evidence]
    dropped: tuple[str, ...] = ()
    verdict: str | None = None


def level_of(num_entrants: int) -> float:
    """The level at which each configuration is held against the leader (Bonferroni).

    The best one can only be dropped in favour of one of the `num_entrants - 1` others; who leads may follow from the
    scores, as all of them are counted.

    >>> round(level_of(6), 4)
    0.01
    """
    return ALPHA / max(num_entrants - 1, 1)


def obstacle(clusters: Codes, unit: str = "paragraphs") -> str | None:
    """Why no race can be decided on these questions; None where it can."""
    num = int(clusters.max()) + 1
    if num >= MIN_CLUSTERS:
        return None
    what = unit.removesuffix("s") if num == 1 else unit
    return f"{num} {what} of dev questions: {TOO_FEW_CLUSTERS}"


def judge(
    tables: Mapping[str, Floats], clusters: Codes, *, num_entrants: int, relevant: float, better: str
) -> Standing:
    """Decide a round.

    Args:
        tables: Of each open configuration the scores in percent [seeds, questions]; row s has the same seeds in all.
        clusters: The cluster of each question, counted from 0.
        num_entrants: Configurations with which the race began.
        relevant: The smallest difference that matters, in points.
        better: Whether `higher` or `lower` scores are better.
    """
    sign = -1.0 if better == LOWER else 1.0
    means = {name: sign * round(float(table.mean()), 9) for name, table in tables.items()}
    leader = max(means, key=lambda name: means[name])
    others = [name for name in tables if name != leader]
    num_seeds = len(tables[leader])
    if not others:
        return Standing(leader, {}, verdict=BEST)
    level, pooled = level_of(num_entrants), pooled_seeds(list(tables.values()))
    evidence = {
        name: _evidence(tables[leader], tables[name], clusters, pooled, num_seeds=num_seeds, level=level)
        for name in others
    }
    if num_seeds < MIN_SEEDS or obstacle(clusters):
        return Standing(leader, evidence)
    dropped = tuple(name for name in others if evidence[name].p <= level and means[name] < means[leader])
    left = [evidence[name] for name in others if name not in dropped]
    return Standing(leader, evidence, dropped, _verdict(tables, others, left, relevant))


def _verdict(
    tables: Mapping[str, Floats], others: Sequence[str], left: Sequence[Evidence], relevant: float
) -> str | None:
    """Whether the race is decided, by the evidence of those that are left beside the leader."""
    first, *rest = tables.values()
    if all(np.array_equal(first, table) for table in rest):
        return EQUAL
    if not left:
        return BEST
    if all(one.is_within(relevant) for one in left):
        return ALIKE
    return TOO_FEW if all(one.is_within(relevant) or one.is_hopeless(relevant) for one in left) else None


def _evidence(
    leader: Floats, table: Floats, clusters: Codes, pooled: Part | None, *, num_seeds: int, level: float
) -> Evidence:
    if num_seeds < 2:
        difference = float(table.mean() - leader.mean())
        return Evidence(difference, -np.inf, np.inf, 1.0, level)
    # Where both have the same scores, the seeds of others say nothing about these two.
    shared = None if np.array_equal(leader, table) else pooled
    found = paired_groups(leader, table, clusters, pooled=shared).at_any_look()
    if num_seeds < MIN_SEEDS:
        return Evidence(found.difference, -np.inf, np.inf, 1.0, level)
    low, high = found.interval(level)
    floor = NormalDist().inv_cdf(1 - level / 2) * float(np.sqrt(found.variance.of_questions))
    seed_error = float(np.sqrt(sum(value for value, _ in found.variance.seeds)))
    return Evidence(found.difference, low, high, found.p, level, floor=floor, seed_error=seed_error)


def pooled_seeds(tables: Sequence[Floats]) -> Part | None:
    """What seeds do to a difference, from three and more configurations: few seeds of two may agree by chance."""
    if len(tables) < 3 or len(tables[0]) < 2:
        return None
    return pooled_paired(np.stack([table.mean(axis=1) for table in tables]))
