"""The parts of a variance: the spread between seeds, and between clusters of questions, of two groups or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.statistics.difference import Codes, Floats, Part


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A kind of seed that was swept apart from others.

    Attributes:
        codes: Its value in each run, counted from 0; every combination of the factors' values equally often.
        pooled: Of `pooled_paired` or `pooled_separate`, where these are two of several groups. It counts where two
            groups' own seeds happen to agree more: among many pairs some do, and would look certain.
    """

    codes: Codes
    pooled: Part | None = None

    @property
    def num_values(self) -> int:
        """How many values it has."""
        return int(self.codes.max()) + 1


# The kinds of seeds of a group that were swept apart; without any, each run has a seed of its own.
Seeds = tuple[Factor, ...]


def cluster_part(values: Floats, clusters: Codes) -> Part:
    """The variance of the mean over questions from the spread of clusters, and its degrees of freedom."""
    sizes = np.bincount(clusters).astype(np.float64)
    num = len(sizes)
    if num < 2:
        return float("inf"), 0.0
    gaps = np.bincount(clusters, values) - sizes * values.mean()
    # Large clusters count for more, so that there are fewer of them than there seem to be.
    squares = (sizes / sizes.sum()) ** 2
    df = min(float(squares.sum() ** 2 / (squares**2).sum()) - 1, num - 1.0)
    return float(np.sum(gaps**2)) / len(values) ** 2 * num / (num - 1), max(df, 1.0)


def own_seeds(table: Floats, pooled: Part | None) -> Seeds:
    """The only factor where nothing was swept apart: each run has a seed of its own."""
    return (Factor(np.arange(len(table), dtype=np.intp), pooled),)


def seed_parts(table: Floats, clusters: Codes, factors: Seeds) -> tuple[tuple[Part, ...], tuple[float, ...]]:
    """The variance part of each kind of seed, and what each shares with the part of the clusters."""
    found = [_seed_part(level_means(table, factor.codes), clusters, factor.pooled) for factor in factors]
    return tuple(part for part, _ in found), tuple(both for _, both in found)


def _seed_part(table: Floats, clusters: Codes, pooled: Part | None) -> tuple[Part, float]:
    """Of scores [seeds, questions]: the variance of their mean from the spread of seeds, its df, and the part within.

    The last is what the spread of the clusters holds as well: how seeds differ from cluster to cluster.
    """
    num_seeds = len(table)
    means = table.mean(axis=1)
    between, df = float(means.var(ddof=1)), num_seeds - 1.0
    if pooled is not None and pooled[0] > between:
        between, df = pooled
    residuals = table - means[:, None] - table.mean(axis=0) + table.mean()
    sizes = np.bincount(clusters)
    num = len(sizes)
    sums = np.stack([np.bincount(clusters, row) for row in residuals])
    within = float(np.sum(sums**2)) / table.shape[1] ** 2 / num_seeds / (num_seeds - 1) * num / max(num - 1, 1)
    return (between / num_seeds, df), within


def level_means(values: Floats, codes: Codes) -> Floats:
    """The mean over the runs of each level of a factor: [runs, ...] to [levels, ...].

    >>> level_means(np.array([1.0, 3.0, 8.0]), np.array([0, 0, 1])).tolist()
    [2.0, 8.0]
    """
    return np.stack([values[codes == level].mean(axis=0) for level in range(int(codes.max()) + 1)])


def pooled_paired(means: Floats) -> Part:
    """What seeds do to the difference of any two of several groups with the same seeds.

    Args:
        means: The mean score of each run [groups, seeds].

    Returns:
        The variance of the difference of two runs with the same seed, and its degrees of freedom.
    """
    residuals = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    df = (means.shape[0] - 1) * (means.shape[1] - 1)
    return 2 * float(np.sum(residuals**2)) / df, float(df)


def pooled_separate(means: Sequence[Floats]) -> Part:
    """What the seed does to a run's mean score, from groups of two and more: its variance and degrees of freedom.

    Each group counts alike, however many seeds it has: else large groups whose seeds spread little would vouch for
    small ones whose seeds spread much. The degrees of freedom are fewer where the groups' variances differ.
    """
    parts = [(float(group.var(ddof=1)), len(group) - 1.0) for group in means]
    total = sum(value for value, _ in parts)
    below = sum(value**2 / df for value, df in parts)
    return total / len(parts), total**2 / below if below > 0 else sum(df for _, df in parts)
