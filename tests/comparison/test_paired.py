"""The tests against scipy, against cases computed by hand, and against what symmetry demands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qaexp.comparison.group_tests import Side, compare_sides
from qaexp.comparison.observations import design
from qaexp.comparison.statistics.paired import (
    Difference,
    cluster_bootstrap,
    cluster_t,
    holm,
    mcnemar,
    paired_groups,
    separate_groups,
)
from qaexp.comparison.statistics.spread import Factor, pooled_paired, pooled_separate

GENERATOR = np.random.default_rng(1)


def each_its_own(num: int) -> np.ndarray:
    return np.arange(num, dtype=np.intp)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20))
def test_mcnemar_is_the_binomial_test_of_scipy(only_a: int, only_b: int, both: int) -> None:
    a = np.array([True] * only_a + [False] * only_b + [True] * both, dtype=bool)
    b = np.array([False] * only_a + [True] * only_b + [True] * both, dtype=bool)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(a, b) == (only_a, only_b, pytest.approx(expected, rel=1e-9))


def test_a_cluster_for_each_question_is_the_t_test_of_scipy() -> None:
    values = np.random.default_rng(3).normal(1.0, 5.0, 40)
    found, expected = cluster_t(values, each_its_own(40)), stats.ttest_1samp(values, 0.0)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((low, high, expected.pvalue), rel=1e-9)
    assert found.df == pytest.approx(39)


def test_clusters_of_equal_size_are_the_t_test_of_their_means() -> None:
    values = np.random.default_rng(4).normal(1.0, 5.0, (12, 6)) + np.random.default_rng(5).normal(0, 4, (12, 1))
    found = cluster_t(values.reshape(-1), np.repeat(np.arange(12), 6))
    expected = stats.ttest_1samp(values.mean(axis=1), 0.0)
    assert (found.p, found.df) == (pytest.approx(expected.pvalue, rel=1e-9), pytest.approx(11))


def test_large_clusters_leave_fewer_degrees_of_freedom() -> None:
    sizes = [50] + [1] * 20
    found = cluster_t(np.random.default_rng(0).normal(size=70), np.repeat(np.arange(21), sizes))
    assert found.df < 2


def test_one_cluster_allows_no_statement() -> None:
    for found in (
        cluster_t(np.arange(5.0), np.zeros(5, dtype=np.intp)),
        cluster_bootstrap(np.arange(5.0), np.zeros(5, dtype=np.intp), np.random.default_rng(0)),
    ):
        assert (found.low, found.high, found.p) == (-math.inf, math.inf, 1.0)


def test_same_answers_differ_by_nothing() -> None:
    zeros = np.zeros(10)
    for found in (cluster_t(zeros, each_its_own(10)), cluster_bootstrap(zeros, each_its_own(10), GENERATOR)):
        assert (found.difference, found.p, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)


def test_bootstrap_agrees_with_the_t_interval_where_that_is_right() -> None:
    values = np.random.default_rng(8).normal(2.0, 10.0, 300)
    clusters = np.repeat(np.arange(100), 3)
    expected = cluster_t(values, clusters)
    found = cluster_bootstrap(values, clusters, np.random.default_rng(0))
    assert found.p == pytest.approx(expected.p, abs=0.02)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.15)


def test_bootstrap_beyond_all_resamples_goes_on_with_the_t_distribution() -> None:
    values = np.random.default_rng(8).normal(10.0, 5.0, 400)
    found = cluster_bootstrap(values, each_its_own(400), np.random.default_rng(0), num_resamples=500)
    assert 0 < found.p < 1e-6
    assert found.low < 10 < found.high


def test_resamples_without_any_spread_are_beyond_every_bound() -> None:
    """Of four clusters one in 64 resamples is one cluster four times; rounding must not make it a large number."""
    values = np.random.default_rng(8).uniform(-100, 100, 200)
    found = cluster_bootstrap(values, np.arange(200) % 4, np.random.default_rng(0))
    assert found.resamples is not None
    assert np.sum(np.isinf(found.resamples)) == pytest.approx(10_000 / 64, rel=0.3)
    assert found.resamples[np.isfinite(found.resamples)].max() < 1e6


def test_bootstrap_is_the_same_with_the_same_generator() -> None:
    values = np.random.default_rng(8).normal(0.5, 5.0, 60)
    found = [cluster_bootstrap(values, each_its_own(60), np.random.default_rng(2)) for _ in range(2)]
    assert found[0] == found[1]


def test_paired_groups_by_hand() -> None:
    """Two seeds, three questions, a cluster each."""
    a, b = np.zeros((2, 3)), np.array([[3.0, 0.0, 6.0], [1.0, 2.0, 0.0]])
    found = paired_groups(a, b, each_its_own(3))
    # Means of the seeds 3 and 1: variance 2, of their mean 1. Of the questions 2, 1, 3: variance 1, a third of it.
    # Residuals: 0, -2, 2 and 0, 2, -2: their squares sum to 16; over 9 questions, 2 seeds, 1 degree, times 3/2: 4/3.
    assert found.difference == 2.0
    assert found.variance.seeds == ((pytest.approx(1.0), 1.0),)
    assert found.variance.clusters == (pytest.approx(1 / 3), pytest.approx(2.0))
    assert found.variance.both == (pytest.approx(4 / 3),)
    # 1 + 1/3 - 4/3 is nothing: never less than the largest part.
    assert found.standard_error == pytest.approx(1.0)
    # Half of Satterthwaite's 1 / (1 + 1/18), and at least the seeds' 1.
    assert found.df == pytest.approx(1.0)
    half = stats.t.ppf(0.975, 1)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(2, 1))


def test_separate_groups_by_hand() -> None:
    a, b = np.array([[0.0, 0.0], [2.0, 2.0]]), np.array([[4.0, 4.0], [6.0, 6.0], [8.0, 8.0]])
    found = separate_groups(a, b, each_its_own(2))
    assert found.difference == 5.0
    # Variances of the seeds' means 2 and 4, over 2 and 3 seeds; the questions are all alike.
    assert found.variance.seeds == ((pytest.approx(1.0), 1.0), (pytest.approx(4 / 3), 2.0))
    assert found.variance.clusters[0] == 0
    assert found.standard_error == pytest.approx(math.sqrt(1 + 4 / 3))


def test_seeds_alone_are_welchs_test_of_scipy_up_to_its_degrees_of_freedom() -> None:
    """Where all questions answer alike only the seeds count."""
    one, two = np.array([50.0, 52.0, 57.0]), np.array([60.0, 61.0, 59.0, 66.0])
    found = separate_groups(*(np.repeat(means[:, None], 30, axis=1) for means in (one, two)), each_its_own(30))
    expected = stats.ttest_ind(two, one, equal_var=False)
    assert found.difference / found.standard_error == pytest.approx(expected.statistic)


def test_pooled_seeds_count_where_a_pair_agrees_by_chance() -> None:
    means = np.array([[50.0, 53.0, 47.0], [50.0, 53.0, 47.0], [40.0, 49.0, 58.0]])
    pooled = pooled_paired(means)
    # Residuals of a table of 3 groups and 3 seeds, by hand: sums of squares 96 over 4 degrees.
    residuals = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    assert pooled == (pytest.approx(2 * np.sum(residuals**2) / 4), 4.0)
    tables = [np.repeat(row[:, None], 20, axis=1) for row in means]
    clusters = each_its_own(20)
    alone, corrected = (paired_groups(tables[0], tables[1], clusters, pooled=part) for part in (None, pooled))
    assert alone.variance.seeds[0] == (0.0, 2.0)
    assert corrected.variance.seeds[0] == (pytest.approx(pooled[0] / 3), 4.0)


def test_each_group_vouches_alike_for_what_seeds_do_where_they_differ() -> None:
    # Variances 9, 9 and 81: their mean, and Satterthwaite's degrees of freedom.
    means = [np.array([50.0, 53.0, 47.0]), np.array([50.0, 53.0, 47.0]), np.array([40.0, 49.0, 58.0])]
    assert pooled_separate(means) == (pytest.approx(33.0), pytest.approx(99**2 / (9**2 / 2 + 9**2 / 2 + 81**2 / 2)))
    # Ten seeds that agree do not outvote two that do not.
    variance, df = pooled_separate([np.array([40.0, 60.0]), np.linspace(50, 50.001, 10)])
    assert (variance, df) == (pytest.approx(100.0), pytest.approx(1.0))


def test_the_other_way_round_is_the_same_with_the_other_sign() -> None:
    a, b = np.random.default_rng(2).uniform(0, 100, (2, 4, 60))
    clusters = np.repeat(np.arange(20), 3)
    pairs: list[tuple[Difference, Difference]] = [
        (paired_groups(a, b, clusters), paired_groups(b, a, clusters)),
        (separate_groups(a, b[:3], clusters), separate_groups(b[:3], a, clusters)),
        (
            cluster_bootstrap(b[0] - a[0], clusters, np.random.default_rng(0)),
            cluster_bootstrap(a[0] - b[0], clusters, np.random.default_rng(0)),
        ),
    ]
    for one, other in pairs:
        assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
        assert one.p == pytest.approx(other.p)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step(p_values: list[float]) -> None:
    corrected = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for alpha in (0.01, 0.05, 0.2):
        rejected: set[int] = set()
        for rank, place in enumerate(order):
            if p_values[place] * (len(p_values) - rank) > alpha:
                break
            rejected.add(place)
        assert {place for place, p in enumerate(corrected) if p <= alpha} == rejected


def constant(values: list[float], num_questions: int = 12) -> np.ndarray:
    """Runs whose questions all differ by the same: only seeds vary."""
    return np.repeat(np.array(values)[:, None], num_questions, axis=1)


def test_crossed_kinds_by_hand() -> None:
    """Three subsets bring 0, 3 and 6 points, three inits 0, 1 and 2: what each kind does adds up."""
    pairs = [(subset, init) for subset in range(3) for init in range(3)]
    b = constant([3.0 * subset + init for subset, init in pairs])
    factors = tuple(Factor(np.array(codes, dtype=np.intp)) for codes in zip(*pairs, strict=True))
    found = paired_groups(np.zeros_like(b), b, each_its_own(12), factors=factors)
    # Means of the subsets 1, 4, 7: variance 9, of their mean 3. Of the inits 3, 4, 5: variance 1, of their mean 1/3.
    assert found.difference == 4.0
    assert found.variance.seeds == ((pytest.approx(3.0), 2.0), (pytest.approx(1 / 3), 2.0))
    assert found.standard_error == pytest.approx(math.sqrt(10 / 3))
    # Satterthwaite: (10/3)^2 / (9/2 + 1/18) is 2.4, and half of it less than the 2 of three values.
    assert found.df == 2.0
    assert found.p == pytest.approx(2 * stats.t.sf(4 / math.sqrt(10 / 3), 2))


def test_two_values_of_a_crossed_kind_have_one_degree_of_freedom_however_many_runs_there_are() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.uniform(0, 100, (2, 20, 40))
    factors = (Factor(np.repeat([0, 1], 10).astype(np.intp)), Factor(np.tile(np.arange(10), 2).astype(np.intp)))
    assert paired_groups(a, b, each_its_own(40), factors=factors).df == 1.0


def test_the_group_with_the_fewest_seeds_sets_the_floor_of_the_degrees_of_freedom() -> None:
    """Three seeds that spread much against ten that agree: two degrees of freedom, not eleven."""
    wide, narrow = constant([40.0, 50.0, 60.0]), constant([50.0 + 0.01 * seed for seed in range(10)])
    assert separate_groups(wide, narrow, each_its_own(12)).df == pytest.approx(2.0)
    assert separate_groups(narrow, wide, each_its_own(12)).df == pytest.approx(2.0)
    assert separate_groups(narrow, wide[:2], each_its_own(12)).df == 1.0


def test_nested_runs_are_no_more_observations_than_the_values_they_lie_in() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.uniform(0, 100, (2, 6, 40))
    nested = design([(run // 2, run, 0, 0) for run in range(6)])
    three = design([(seed,) * 4 for seed in range(3)])
    of_runs = compare_sides(Side(a, nested), Side(b, nested), each_its_own(40))
    means = [Side(scores.reshape(3, 2, 40).mean(axis=1), three) for scores in (a, b)]
    of_means = compare_sides(*means, each_its_own(40))
    assert of_runs.kind == of_means.kind == "same seeds"
    assert of_runs.difference.p == pytest.approx(of_means.difference.p)
    assert of_runs.difference.df == pytest.approx(of_means.difference.df)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_nothing_is_said_of_fewer_than_four_clusters(num_seeds: int) -> None:
    generator = np.random.default_rng(6)
    of_seeds = design([(seed,) * 4 for seed in range(num_seeds)])
    sides = [Side(scores, of_seeds) for scores in generator.uniform(0, 100, (2, num_seeds, 40))]
    for num in (1, 2, 3):
        found = compare_sides(*sides, np.arange(40, dtype=np.intp) % num, unit="articles")
        assert found.reason == f"{num} article{'s' * (num > 1)}: nothing can be said with fewer than 4"
        assert (found.difference.low, found.difference.high, found.difference.p) == (-math.inf, math.inf, 1.0)
    assert compare_sides(*sides, np.arange(40, dtype=np.intp) % 4).reason is None


def test_the_same_gap_everywhere_is_worth_a_sign_for_each_cluster() -> None:
    """Without spread a t test would be certain; of twelve clusters with one sign no more is known than 2 / 2^12."""
    for found in (
        cluster_t(np.full(12, 3.0), each_its_own(12)),
        cluster_bootstrap(np.full(12, 3.0), each_its_own(12), np.random.default_rng(0)),
        paired_groups(constant([50.0] * 3), constant([53.0] * 3), each_its_own(12)),
    ):
        assert (found.difference, found.standard_error) == (3.0, 0.0)
        assert found.p == pytest.approx(2 / 2**12)
    same = paired_groups(constant([50.0] * 3), constant([50.0] * 3), each_its_own(12))
    assert (same.difference, same.p) == (0.0, 1.0)


def test_one_large_cluster_is_one_cluster_however_many_small_ones_stand_beside_it() -> None:
    """Whole clusters differ by chance, and not on average: no resample shows how a single large one would vary."""
    clusters = np.concatenate([np.zeros(500), 1 + np.repeat(np.arange(20), 10)]).astype(np.intp)
    rejected = 0
    for number in range(200):
        generator = np.random.default_rng([3, number])
        values = 5 * generator.normal(size=21)[clusters] + generator.normal(0, 10, len(clusters))
        found = cluster_bootstrap(values, clusters, generator, num_resamples=500)
        rejected += found.p <= 0.05
        assert (found.low > 0 or found.high < 0) == (found.p <= 0.05)
    assert rejected <= 0.05 * 200 + 4 * math.sqrt(200 * 0.05 * 0.95)


def test_an_interval_leaves_out_a_margin_exactly_where_the_test_against_it_rejects() -> None:
    """What the gate does with `--by`: the scores of one side moved by the margin, tested against no difference."""
    dice = np.random.default_rng(3)
    clusters = np.repeat(np.arange(30), 8)
    hard = dice.normal(50, 20, len(clusters))
    a, b = (hard + dice.normal(mean, 10, (3, len(clusters))) for mean in (0, 1.5))
    of_groups, of_runs = (
        paired_groups(a, b, clusters),
        cluster_bootstrap(b[0] - a[0], clusters, np.random.default_rng(0)),
    )
    for margin in np.linspace(-6, 6, 25):
        moved = paired_groups(a + margin, b, clusters)
        assert (moved.p <= 0.05) == (not of_groups.low <= margin <= of_groups.high)
        moved = cluster_bootstrap(b[0] - a[0] - margin, clusters, np.random.default_rng(0))
        assert (moved.p <= 0.05) == (not of_runs.low <= margin <= of_runs.high)
