"""Means of scores as pictures show them, with their intervals over articles or paragraphs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.runs.clusters import clusters
from qaexp.runs.score_intervals import MIN_CLUSTERS, score_interval

Row = Mapping[str, Any]


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
        """What the intervals are over, in words for a picture.

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
    """Return the mean of at least one score with its interval over clusters, the one that `qaexp compare` shows.

    Args:
        label: The name of the group.
        scores: From 0 to 100.
        labels: The cluster of each; with fewer than `MIN_CLUSTERS` there is no interval.

    >>> group("all", [100.0, 100.0, 0.0], ["a", "b", "c"])
    Group(label='all', num=3, mean=66.66666666666667, low=None, high=None)
    """
    gathered: dict[str, list[float]] = {}
    for score, cluster in zip(scores, labels, strict=True):
        gathered.setdefault(cluster, []).append(score)
    low, high = score_interval((len(found), math.fsum(found)) for found in gathered.values()) or (None, None)
    return Group(label, len(scores), math.fsum(scores) / len(scores), low, high)


def arms(groups: Sequence[Group]) -> list[list[float]]:
    """Return how far the intervals reach below and above their means, as an error bar wants it; NaN draws none."""
    below = [math.nan if found.low is None else max(found.mean - found.low, 0.0) for found in groups]
    return [below, [math.nan if found.high is None else max(found.high - found.mean, 0.0) for found in groups]]
