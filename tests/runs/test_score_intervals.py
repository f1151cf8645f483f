"""The interval of a mean score: published values, and the mean of other texts near the ends of the scale."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from qaexp.runs.score_intervals import ClusterSums, score_interval, wilson_interval


@pytest.mark.parametrize(
    ("right", "num", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_published_values(right: int, num: int, low: float, high: float) -> None:
    """Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3."""
    assert wilson_interval(right / num, num) == pytest.approx((low, high), abs=5e-5)


def test_scores_one_after_the_other_have_the_interval_of_their_clusters() -> None:
    generator = np.random.default_rng(1)
    gathered, clusters = ClusterSums(), defaultdict[int, list[float]](list)
    for _ in range(200):
        cluster, score = int(generator.integers(12)), float(100 * generator.random())
        gathered.add(score, cluster)
        clusters[cluster].append(score)
        expected = score_interval((len(scores), math.fsum(scores)) for scores in clusters.values())
        found = gathered.interval()
        assert (found is None) == (expected is None) == (len(clusters) < 4)
        assert found is None or found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("num_clusters", [4, 8, 20])
@pytest.mark.parametrize("share", [0.85, 0.97])
def test_it_covers_the_mean_of_other_texts_near_the_end_of_the_scale(num_clusters: int, share: float) -> None:
    """A t interval over the same clusters covers 0.97 in 45 % of such experiments with four clusters."""
    generator = np.random.default_rng(2)
    covered, trials = 0, 400
    for _ in range(trials):
        ease = generator.beta(share * 5, (1 - share) * 5, num_clusters)
        right = generator.binomial(6, ease)
        low, high = score_interval((6, 100.0 * number) for number in right.tolist()) or (math.nan, math.nan)
        covered += low <= 100 * share <= high
    assert covered / trials >= 0.93
