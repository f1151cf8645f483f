"""Statistics over evaluation sets: as rliable, scipy and counting have them, and how often intervals are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qaexp.comparison.statistics.over_sets import (
    interquartile_mean,
    iqm_interval,
    probability_interval,
    probability_of_improvement,
    profile,
)

A = np.array([[61.2, 40.5, 72.9, 55.0], [58.8, 44.1, 70.3, 57.5], [63.0, 39.9, 74.4, 51.2]])
B = np.array([[64.0, 41.0, 71.0, 60.1], [66.5, 44.1, 75.2, 58.8], [60.4, 43.3, 73.8, 57.5]])
SEEDS = np.arange(3)
PROFILE = {40.5: 0.83333333, 44.1: 0.75, 57.0: 0.58333333, 61.2: 0.33333333, 75.0: 0.0}


def test_points_are_those_of_rliable() -> None:
    """Of rliable 1.2.0: aggregate_iqm, probability_of_improvement, create_performance_profile."""
    assert interquartile_mean(A) == pytest.approx(57.78333333333333)
    assert interquartile_mean(B) == pytest.approx(61.21666666666666)
    assert probability_of_improvement(A, B) == pytest.approx(0.7777777777777777)
    steps = profile(A)
    shares = {tau: max([(0.0, 1.0), *(step for step in steps if step[0] <= tau)])[1] for tau in PROFILE}
    assert shares == pytest.approx(PROFILE)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (3, 3), (5, 4), (10, 7)])
def test_points_by_other_formulas(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape)
    a, b = rng.integers(40, 60, shape).astype(float), rng.integers(45, 65, (shape[0] + 1, shape[1])).astype(float)
    assert interquartile_mean(a) == pytest.approx(stats.trim_mean(a, 0.25, axis=None))
    each = [stats.mannwhitneyu(b[:, one], a[:, one]).statistic / (len(a) * len(b)) for one in range(shape[1])]
    assert probability_of_improvement(a, b) == pytest.approx(np.mean(each))
    assert all(share == np.mean(a > score) for score, share in profile(a))


def test_names_and_order_change_nothing_and_sides_turn() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        rows, columns = rng.permutation(3), rng.permutation(4)
        assert iqm_interval(A[rows][:, columns], SEEDS) == iqm_interval(A, SEEDS)
        assert interquartile_mean(A[rows][:, columns]) == interquartile_mean(A)
    assert probability_of_improvement(B, A) == pytest.approx(1 - probability_of_improvement(A, B))
    for share in (0.0, 0.125, 0.5, 0.9, 1.0):
        low, high = probability_interval(share, 3, 6)
        assert probability_interval(1 - share, 6, 3) == pytest.approx((1 - high, 1 - low))
        assert 0 <= low <= share <= high <= 1


def test_runs_within_a_seed_are_drawn_together() -> None:
    """Runs that repeat their seed's scores make nothing more certain."""
    twice = np.repeat(A, 2, axis=0)
    one, other = iqm_interval(A, SEEDS), iqm_interval(twice, np.repeat(SEEDS, 2))
    assert one is not None
    assert other is not None
    assert other[1] - other[0] > 0.8 * (one[1] - one[0])


def test_seeds_that_agree_have_no_interval() -> None:
    assert iqm_interval(np.tile(A[:1], (3, 1)), SEEDS) is None


def test_total_victory_of_few_seeds_is_not_certain() -> None:
    """Three seeds against three: by chance all of one side are above in one case of twenty."""
    assert probability_interval(1.0, 3, 3)[0] < 0.5
    assert probability_interval(1.0, 10, 10)[0] > 0.7
    assert probability_interval(0.5, 5, 5)[0] < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_cover_the_truth_as_often_as_they_say(shared: float, seeds: int) -> None:
    """A good seed may be good on all sets: then the sets of a run are no repeats."""
    rng, sets, num = np.random.default_rng([seeds, int(shared)]), 4, 400
    levels = np.linspace(50, 65, sets)
    truth = interquartile_mean(levels + rng.normal(0, np.hypot(shared, 0.7), (100_000, sets)))
    better = float(stats.norm.cdf(1.0 / (np.sqrt(2) * np.hypot(shared, 0.7))))
    right = [0, 0]
    for _ in range(num):
        a, b = (
            levels + gain + rng.normal(0, shared, (seeds, 1)) + rng.normal(0, 0.7, (seeds, sets)) for gain in (0.0, 1.0)
        )
        ends = iqm_interval(a, np.arange(seeds))
        assert ends is not None
        right[0] += ends[0] <= truth <= ends[1]
        low, high = probability_interval(probability_of_improvement(a, b), seeds, seeds)
        right[1] += low <= better <= high
    assert min(right) >= 0.91 * num
