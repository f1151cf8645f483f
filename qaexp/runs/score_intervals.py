"""The 95 % interval of a run's mean score over the clusters of its questions: the same one on its page and in compare.

Questions about one article or paragraph are not independent, so whole clusters of them are what was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from functools import cache
from statistics import NormalDist

# With fewer clusters of questions nothing is said: the simulation in docs/statistics.md begins here.
MIN_CLUSTERS = 4

_ALMOST_NONE = 1e-9


def score_interval(clusters: Iterable[tuple[int, float]]) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean score in percent; None with fewer than `MIN_CLUSTERS` clusters.

    That of Wilson (1927) for as many independent questions as the clusters are worth: Korn and Graubard (1998), Survey
    Methodology 24, 193-201. The variance is that between the clusters; it never counts for more questions than there
    are, and where all scores are 0, or all 100, a cluster counts as one. Unlike a t interval it holds near 0 and 100,
    where scores of few clusters hardly spread.

    Args:
        clusters: Of each cluster the number of its questions, and the sum of their scores from 0 to 100.

    >>> score_interval([(2, 200.0), (2, 100.0), (1, 100.0)]) is None
    True
    >>> score_interval([(1, 100.0)] * 6)
    (60.966571, 100.0)
    """
    found = [(size, total / 100) for size, total in clusters]
    return _interval(
        len(found),
        sum(size for size, _ in found),
        math.fsum(total for _, total in found),
        math.fsum(total * total for _, total in found),
        math.fsum(total * size for size, total in found),
        sum(size * size for size, _ in found),
    )


class ClusterSums:
    """Scores that come one after the other, and the interval of their mean so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._num, self._total = 0, 0.0
        self._clusters: dict[Hashable, tuple[int, float]] = {}
        # Sums over the clusters: of squared totals, of totals times sizes, of squared sizes.
        self._squares, self._products, self._sizes = 0.0, 0.0, 0

    def add(self, score: float, cluster: Hashable) -> None:
        """Take one more score, from 0 to 100, and its cluster."""
        size, total = self._clusters.get(cluster, (0, 0.0))
        share = score / 100
        self._clusters[cluster] = size + 1, total + share
        self._num, self._total = self._num + 1, self._total + share
        self._squares += 2 * total * share + share * share
        self._products += total + (size + 1) * share
        self._sizes += 2 * size + 1

    def interval(self) -> tuple[float, float] | None:
        """Return `score_interval` of the scores so far."""
        return _interval(len(self._clusters), self._num, self._total, self._squares, self._products, self._sizes)


def _interval(
    num_clusters: int, num: int, total: float, squares: float, products: float, sizes: int
) -> tuple[float, float] | None:
    if num_clusters < MIN_CLUSTERS:
        return None
    mean = min(max(total / num, 0.0), 1.0)
    spread = max(squares - 2 * mean * products + mean * mean * sizes, 0.0)
    variance = num_clusters / (num_clusters - 1) * spread / num**2
    worth = float(num_clusters)
    if _ALMOST_NONE < mean < 1 - _ALMOST_NONE:
        worth = min(mean * (1 - mean) / variance, num) if variance > 0 else num
        worth *= _t_correction(num_clusters - 1)
    low, high = wilson_interval(mean, worth)
    # Sums in another order differ in their last digits.
    return round(100 * low, 6), round(100 * high, 6)


@cache
def _t_correction(degrees: int) -> float:
    """How much less clusters are worth whose variance is only estimated: (z / t) squared."""
    from scipy.special import stdtrit

    return float((NormalDist().inv_cdf(0.975) / stdtrit(degrees, 0.975)) ** 2)


def wilson_interval(share: float, num: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of Wilson (1927) for a share of `num` independent cases, both from 0 to 1."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    scale = 1 + z * z / num
    center = (share + z * z / (2 * num)) / scale
    half = z / scale * math.sqrt(max(share * (1 - share) / num + z * z / (4 * num * num), 0.0))
    return max(center - half, 0.0), min(center + half, 1.0)
