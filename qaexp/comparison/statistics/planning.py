"""How many seeds a comparison needs: what the test would detect with other numbers of seeds than the pilot had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qaexp.comparison.statistics.difference import Difference, Part, Variance
from qaexp.comparison.statistics.power import MOST_SEEDS, MOST_TIMES, minimum_detectable

FEWEST_SEEDS = 2


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the uncertainty of a difference of two settings comes from, per seed.

    Attributes:
        seed: The standard deviation that a seed gives to the difference of two runs, in the metric's unit.
        questions: The standard error of the difference from the questions, with infinitely many seeds.
        questions_df: Its degrees of freedom, about one less than the number of texts.
        within: What seed and text do together, as a standard deviation per seed.
    """

    seed: float
    questions: float
    questions_df: float
    within: float = 0.0

    def variance(self, num_seeds: int) -> Variance:
        """That of a difference with so many seeds of each setting."""
        both = self.within**2 / num_seeds
        seeds: Part = (self.seed**2 / num_seeds, num_seeds - 1.0)
        return Variance((seeds,), (self.questions**2 + both, self.questions_df), (both,), values=(num_seeds,))


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """The test that is planned.

    Attributes:
        level: Of the test, between 0 and 1; for one of m contrasts 1 - 0.05 / m.
        power: The probability with which a difference is to be found.
        any_look: Whether one may look while seeds are added; else the test is for one planned look.
    """

    level: float
    power: float
    any_look: bool

    def detects(self, variance: Variance) -> float | None:
        """The smallest difference that is found with such an uncertainty; None if none is."""
        error = math.sqrt(variance.total)
        expected = Difference(0.0, -math.inf, math.inf, 1.0, error, variance.df, variance)
        found = expected.at_any_look() if self.any_look else expected
        return minimum_detectable(found, power=self.power, level=self.level)

    def seeds_for(self, spread: Spread, points: float) -> int | None:
        """The fewest seeds of each setting that detect `points`; None if not even a hundred do."""
        possible = range(FEWEST_SEEDS, MOST_SEEDS + 1)
        return next((num for num in possible if self._finds(points, spread.variance(num))), None)

    def times_for(self, spread: Spread, num_seeds: int, points: float) -> int | None:
        """How many times as many questions, of as many more texts, detect `points` with so many seeds of each setting.

        None if not even a hundred times as many do.
        """
        variance = spread.variance(num_seeds)
        possible = range(1, MOST_TIMES + 1)
        return next((times for times in possible if self._finds(points, variance.with_questions(times))), None)

    def _finds(self, points: float, variance: Variance) -> bool:
        found = self.detects(variance)
        return found is not None and found <= points


def pooled_spread(found: Sequence[Difference]) -> Spread:
    """The mean variances of several tested differences of groups of seeds, in any order.

    Args:
        found: At least one, each with parts of seeds; kinds of seeds must not be crossed.
    """
    variances = [one.variance for one in found]
    return Spread(
        seed=_root_mean([_per_seed([value for value, _ in one.seeds], one) for one in variances]),
        questions=_root_mean([one.of_questions for one in variances]),
        questions_df=min(one.clusters[1] for one in variances),
        within=_root_mean([_per_seed(one.both, one) for one in variances]),
    )


def _per_seed(parts: Sequence[float], variance: Variance) -> float:
    return sum(value * num for value, num in zip(parts, variance.values, strict=True))


def _root_mean(values: Sequence[float]) -> float:
    # fsum: the same bits in any order.
    return math.sqrt(math.fsum(values) / len(values))
