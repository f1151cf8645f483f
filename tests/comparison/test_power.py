"""The smallest difference that can be found: against a simulation of the t test, and what more seeds do to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qaexp.comparison.family import Family, ScoreTest
from qaexp.comparison.group_tests import Side, compare_sides
from qaexp.comparison.observations import design
from qaexp.comparison.statistics.difference import Difference, Variance, quantile
from qaexp.comparison.statistics.paired import cluster_bootstrap, cluster_t, paired_groups, separate_groups
from qaexp.comparison.statistics.power import minimum_detectable, power, with_more_seeds
from qaexp.comparison.verdict import CANNOT_TELL, Circumstances, judge
from qaexp.runs.metrics import number_of

CLUSTERS = np.repeat(np.arange(50), 4).astype(np.intp)


def test_it_is_found_four_times_out_of_five() -> None:
    generator = np.random.default_rng(0)
    reach = minimum_detectable(cluster_t(generator.normal(size=200), np.arange(200)))
    assert reach is not None
    found = [stats.ttest_1samp(generator.normal(reach, 1, 200), 0).pvalue <= 0.05 for _ in range(600)]
    assert 0.72 <= np.mean(found) <= 0.88


def test_more_seeds_find_less_and_questions_set_the_limit() -> None:
    generator = np.random.default_rng(1)
    questions = generator.normal(0, 20, 200)
    seeds = generator.normal(0, 2, (3, 1))
    found = paired_groups(np.zeros((3, 200)), questions + seeds + generator.normal(0, 20, (3, 200)), CLUSTERS)
    reach = [minimum_detectable(found), *(with_more_seeds(found, more) for more in (2, 5, 20, 10_000))]
    numbers = [points for points in reach if points is not None]
    assert len(numbers) == 5
    assert numbers == sorted(numbers, reverse=True)
    limit = minimum_detectable(cluster_t(questions, CLUSTERS))
    assert limit is not None
    assert numbers[-1] == pytest.approx(limit, rel=0.25)


def test_nothing_is_said_about_seeds_that_were_not_run() -> None:
    found = cluster_t(np.arange(200.0), CLUSTERS)
    assert with_more_seeds(found, 5) is None
    assert minimum_detectable(cluster_t(np.arange(4.0), np.zeros(4, dtype=np.intp))) is None


@pytest.mark.parametrize(("points", "alpha"), [(0.0, 0.05), (0.5, 0.05), (0.9, 0.05), (0.9, 0.005)])
def test_power_is_what_a_simulation_of_the_t_test_finds(points: float, alpha: float) -> None:
    """Twenty clusters with a spread of 1."""
    values = np.random.default_rng(2).normal(points, 1, (4000, 20))
    found = np.mean(stats.ttest_1samp(values, 0, axis=1).pvalue <= alpha)
    known = Difference(0.0, 0.0, 0.0, 1.0, 20**-0.5, 19.0, Variance((), (1 / 20, 19.0)))
    assert power(known, points, alpha=alpha) == pytest.approx(found, abs=0.03)


def outcomes(num_groups: int, num_clusters: int = 50, num_seeds: int = 3) -> list[ScoreTest]:
    generator = np.random.default_rng(4)
    clusters = np.arange(200, dtype=np.intp) % num_clusters
    of_seeds = design([(seed,) * 4 for seed in range(num_seeds)])
    sides = [Side(scores, of_seeds) for scores in generator.uniform(0, 100, (num_groups, num_seeds, 200))]
    return [
        ScoreTest(compare_sides(a, b, clusters), None, 200, number_of("f1"))
        for place, a in enumerate(sides)
        for b in sides[place + 1 :]
    ]


@pytest.mark.parametrize("num_groups", [2, 5, 10])
def test_what_can_be_detected_is_that_of_the_first_step_of_holms_correction(num_groups: int) -> None:
    """Against the level of a single look, which is lower where seeds may be added."""
    made = outcomes(num_groups)
    for outcome, tested in zip(made, Family([{"f1": one} for one in made]).corrected(), strict=True):
        found = outcome.found.difference
        assert found.looks is not None
        level = found.looks.level(0.05 / len(made))
        assert level < 0.05 / len(made)
        by_hand = stats.t.ppf(1 - level / 2, found.df) + stats.t.ppf(0.8, found.df)
        assert tested["f1"].minimum_detectable == pytest.approx(by_hand * found.standard_error)


def test_more_seeds_for_groups_of_unequal_numbers_by_hand() -> None:
    """Two against four seeds, two more of each: the seed parts become a half and two thirds."""
    generator = np.random.default_rng(7)
    a, b = generator.uniform(0, 100, (2, 200)), generator.uniform(0, 100, (4, 200))
    found = separate_groups(a, b, CLUSTERS)
    (of_a, _), (of_b, _) = found.variance.seeds
    both_a, both_b = found.variance.both
    parts = [of_a / 2, of_b * 2 / 3, found.variance.clusters[0] - both_a / 2 - both_b / 3]
    total = max(sum(parts) - both_a / 2 - both_b * 2 / 3, *parts)
    dfs = [3.0, 5.0, found.variance.clusters[1]]
    df = max(total**2 / sum(part**2 / df for part, df in zip(parts, dfs, strict=True)) / 2, 3.0)
    expected = (quantile(df, 0.975) + quantile(df, 0.8)) * total**0.5
    assert with_more_seeds(found, 2) == pytest.approx(expected)


def test_of_crossed_kinds_it_would_have_to_be_said_which() -> None:
    crossed = design([(subset, init, 0, 0) for subset in range(3) for init in range(3)])
    a, b = np.random.default_rng(8).uniform(0, 100, (2, 9, 200))
    found = compare_sides(Side(a, crossed), Side(b, crossed), CLUSTERS).difference
    assert minimum_detectable(found) is not None
    assert with_more_seeds(found, 5) is None


def test_no_difference_is_large_enough_for_a_bootstrap_of_four_clusters_and_many_contrasts() -> None:
    values = np.random.default_rng(9).normal(0, 10, 200)
    found = cluster_bootstrap(values, np.arange(200) % 4, np.random.default_rng(0))
    assert minimum_detectable(found) is not None
    assert minimum_detectable(found, level=1 - 0.05 / 10) is None
    assert power(found, 1e6, alpha=0.005) == 0.0
    made = outcomes(5, num_clusters=4, num_seeds=1)
    for tested in Family([{"f1": one} for one in made]).corrected():
        word, sentence = judge(tested["f1"], Circumstances("f1", 2.0, ""))
        assert word == CANNOT_TELL
        assert sentence.endswith("to be certain of any difference")
