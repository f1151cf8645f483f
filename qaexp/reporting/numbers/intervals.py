"""Means of scores with the intervals that their questions allow: those on one article or paragraph stand together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

from scipy.special import stdtrit

from qaexp.runs.clusters import clusters

Row = Mapping[str, Any]
# With fewer articles or paragraphs nothing can be said of others, and no interval is shown.
MIN_CLUSTERS = 5

_ALMOST_NONE = 1e-9


@dataclass(frozen=True, slots=True)
class Group:
    """The mean of some scores from 0 to 100, with its 95 % interval; None for the ends where there is none."""

    label: str
    num: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Dependence:
    """The cluster of each question, and what the clusters are: `article` or `paragraph`."""

    labels: tuple[str, ...]
    kind: str

    @property
    def words(self) -> str:
        """What the intervals are taken over, for a picture.

        >>> Dependence(("a", "b", "a"), "paragraph").words, Dependence(tuple("abcde"), "article").words
        ('no intervals: 2 paragraphs', '95 % intervals over 5 articles')
        """
        num = len(set(self.labels))
        counted = f"{num:,} {self.kind}{'s' * (num != 1)}"
        return f"95 % intervals over {counted}" if num >= MIN_CLUSTERS else f"no intervals: {counted}"


def dependence(rows: Sequence[Row]) -> Dependence:
    """Return which questions depend on each other, from the titles and paragraphs of their rows."""
    titles, paragraphs = ([str(row.get(key, "")) for row in rows] for key in ("title", "paragraph"))
    labels, kind = clusters(titles, paragraphs)
    return Dependence(labels, "article" if kind == "title" else kind)


def group(label: str, scores: Sequence[float], labels: Sequence[str]) -> Group:
    """Return the mean of at least one score with its interval over clusters.

    Args:
        label: The name of the group.
        scores: From 0 to 100.
        labels: The cluster of each; with fewer than `MIN_CLUSTERS` there is no interval.

    >>> group("all", [100.0, 100.0, 0.0, 100.0], ["a", "b", "c", "d"])
    Group(label='all', num=4, mean=75.0, low=None, high=None)
    """
    gathered = ClusterSums()
    for score, cluster in zip(scores, labels, strict=True):
        gathered.add(score, cluster)
    low, high = gathered.interval() or (None, None)
    return Group(label, len(scores), math.fsum(scores) / len(scores), low, high)


class ClusterSums:
    """Scores that come one after the other, and the interval of their mean so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._num, self._total = 0, 0.0
        self._clusters: dict[str, tuple[int, float]] = {}
        # Sums over the clusters: of squared totals, of totals times sizes, of squared sizes.
        self._squares, self._products, self._sizes = 0.0, 0.0, 0

    def add(self, score: float, cluster: str) -> None:
        """Take one more score, from 0 to 100, and its cluster."""
        size, total = self._clusters.get(cluster, (0, 0.0))
        share = score / 100
        self._clusters[cluster] = size + 1, total + share
        self._num, self._total = self._num + 1, self._total + share
        self._squares += 2 * total * share + share * share
        self._products += total + (size + 1) * share
        self._sizes += 2 * size + 1

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval in percent; None with fewer than `MIN_CLUSTERS` clusters.

        That of Wilson (1927) for as many independent questions as the clusters are worth: Korn and Graubard (1998),
        Survey Methodology 24, 193-201. The variance is that between the clusters; it never counts for more questions
        than there are, and where all scores are 0, or all 100, a cluster counts as one.
        """
        num_clusters = len(self._clusters)
        if num_clusters < MIN_CLUSTERS:
            return None
        mean = min(max(self._total / self._num, 0.0), 1.0)
        spread = max(self._squares - 2 * mean * self._products + mean * mean * self._sizes, 0.0)
        variance = num_clusters / (num_clusters - 1) * spread / self._num**2
        worth = float(num_clusters)
        if _ALMOST_NONE < mean < 1 - _ALMOST_NONE:
            worth = min(mean * (1 - mean) / variance, self._num) if variance > 0 else self._num
            worth *= _t_correction(num_clusters - 1)
        low, high = wilson_interval(mean, worth)
        return round(100 * low, 6), round(100 * high, 6)


@cache
def _t_correction(degrees: int) -> float:
    """How much less clusters are worth whose variance is only estimated: (z / t) squared."""
    return float((NormalDist().inv_cdf(0.975) / stdtrit(degrees, 0.975)) ** 2)


def wilson_interval(share: float, num: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of Wilson (1927) for a share of `num` independent cases, both from 0 to 1."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    scale = 1 + z * z / num
    center = (share + z * z / (2 * num)) / scale
    half = z / scale * math.sqrt(max(share * (1 - share) / num + z * z / (4 * num * num), 0.0))
    return max(center - half, 0.0), min(center + half, 1.0)


def arms(groups: Sequence[Group]) -> list[list[float]]:
    """Return how far the intervals reach below and above their means, as an error bar wants it; NaN draws none."""
    below = [math.nan if found.low is None else max(found.mean - found.low, 0.0) for found in groups]
    return [below, [math.nan if found.high is None else max(found.high - found.mean, 0.0) for found in groups]]
