"""The smallest difference that can be found: against a simulation of the t test, and what more seeds do to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qaexp.comparison.power import minimum_detectable, with_more_seeds
from qaexp.comparison.tests import cluster_t, paired_groups

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
    reach = [minimum_detectable(found), *(with_more_seeds(found, 3, more) for more in (2, 5, 20, 10_000))]
    numbers = [points for points in reach if points is not None]
    assert len(numbers) == 5
    assert numbers == sorted(numbers, reverse=True)
    limit = minimum_detectable(cluster_t(questions, CLUSTERS))
    assert limit is not None
    assert numbers[-1] == pytest.approx(limit, rel=0.25)


def test_nothing_is_said_about_seeds_that_were_not_run() -> None:
    found = cluster_t(np.arange(200.0), CLUSTERS)
    assert with_more_seeds(found, 1, 5) is None
    assert minimum_detectable(cluster_t(np.arange(4.0), np.zeros(4, dtype=np.intp))) is None
