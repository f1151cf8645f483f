"""Paired tests of two runs, or of two groups of runs, on the same questions.

Questions about the same text are no independent witnesses: every test but McNemar's takes whole clusters of them
(articles, or paragraphs). Between groups, seeds vary too: both enter the interval. Differences are b - a, in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
Part = tuple[float, float]
"""A variance, and its degrees of freedom."""

LEVEL = 0.95
NUM_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Variance:
    """Where the uncertainty of a difference comes from, in squared points.

    Attributes:
        seeds: The part of each group's, or of the pairs', seeds: (variance of the mean, degrees of freedom) each.
        clusters: The part of the clusters of questions, and its degrees of freedom.
        both: What `seeds` and `clusters` both count, by the same keys as `seeds`.
    """

    seeds: tuple[Part, ...]
    clusters: Part
    both: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """The variance of the difference; never less than its largest part."""
        parts = [value for value, _ in (*self.seeds, self.clusters)]
        return max(sum(parts) - sum(self.both), *parts)

    @property
    def df(self) -> float:
        """Degrees of freedom of `total`: Satterthwaite's without seeds, half as many with them, at least the seeds'.

        Three seeds that happen to agree make the variance too small and Satterthwaite's degrees of freedom too many at
        the same time; the simulation in docs/statistics.md rejects up to 7 % with all of them, below 6 % with half.
        """
        parts = (*self.seeds, self.clusters)
        if not np.isfinite(self.total):
            return 0.0
        below = sum(value**2 / df for value, df in parts)
        found = self.total**2 / below if below > 0 else max(df for _, df in parts)
        return max(found / 2, sum(df for _, df in self.seeds)) if self.seeds else found


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference b - a with its uncertainty, in points (percent).

    Attributes:
        difference: The mean over questions and seeds.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Two-sided p-value of "no difference".
        standard_error: Of `difference`.
        df: Degrees of freedom of its t distribution.
        variance: Its parts.
    """

    difference: float
    low: float
    high: float
    p: float
    standard_error: float
    df: float
    variance: Variance


def mcnemar(a_right: Bools, b_right: Bools) -> tuple[int, int, float]:
    """McNemar's exact test (1947; the binomial test on the questions where one of two runs is right).

    Returns:
        How many only a has right, how many only b has right, and the two-sided p-value.

    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    (6, 0, 0.03125)
    """
    from scipy.special import bdtr

    only_a, only_b = int(np.sum(a_right & ~b_right)), int(np.sum(b_right & ~a_right))
    if only_a + only_b == 0:
        return 0, 0, 1.0
    return only_a, only_b, min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def cluster_t(values: Floats, clusters: Codes, *, level: float = LEVEL) -> Difference:
    """A t interval of the mean over questions, from the spread between clusters of questions.

    Args:
        values: One per question: a difference, or a score (the test is then against 0).
        clusters: The cluster of each question, counted from 0.
        level: Of the interval.

    With fewer than two clusters nothing is known about the spread: the interval is infinite and p is 1.
    """
    return _t_interval(float(values.mean()), Variance((), _cluster_part(values, clusters)), level)


def cluster_bootstrap(
    values: Floats,
    clusters: Codes,
    generator: np.random.Generator,
    *,
    num_resamples: int = NUM_RESAMPLES,
    level: float = LEVEL,
) -> Difference:
    """The mean difference over questions, with a studentised bootstrap over whole clusters of questions.

    A percentile bootstrap rejects too often where there are few clusters; here every resample is measured by its own
    standard error (Efron and Tibshirani 1993, chapter 12.5; symmetric, as Hall 1988 recommends). Beyond the largest
    of the resamples, p follows the t distribution, so that many comparisons can be corrected for.

    Args:
        values: The difference b - a of each question.
        clusters: The cluster of each question, counted from 0.
        generator: Draws the resamples.
        num_resamples: How many.
        level: Of the interval.
    """
    found = cluster_t(values, clusters, level=level)
    if not np.isfinite(found.standard_error) or found.standard_error == 0:
        return found
    sums, sizes = np.bincount(clusters, values), np.bincount(clusters).astype(np.float64)
    num_clusters = len(sizes)
    counts = generator.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=num_resamples)
    weights = counts.astype(np.float64)
    num = weights @ sizes
    means = weights @ sums / num
    squares = weights @ sums**2 - 2 * means * (weights @ (sums * sizes)) + means**2 * (weights @ sizes**2)
    errors = np.sqrt(np.maximum(squares, 0) * num_clusters / (num_clusters - 1)) / num
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(np.where(errors > 0, (means - found.difference) / errors, np.inf * (means != found.difference)))
    t = np.where(np.isnan(t), 0.0, t)
    observed = abs(found.difference) / found.standard_error
    reached = int(np.sum(t >= observed))
    p = (1 + reached) / (num_resamples + 1) if reached else min(found.p, 1 / (num_resamples + 1))
    half = float(np.quantile(t, level, method="higher")) * found.standard_error
    mean = found.difference
    return Difference(mean, mean - half, mean + half, p, found.standard_error, found.df, found.variance)


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
    """What the seed does to a run's mean score, from groups of two and more: its variance and degrees of freedom."""
    df = float(sum(len(group) - 1 for group in means))
    return sum(float(np.sum((group - group.mean()) ** 2)) for group in means) / df, df


def paired_groups(
    a: Floats, b: Floats, clusters: Codes, *, pooled: Part | None = None, level: float = LEVEL
) -> Difference:
    """Two groups with the same seeds: a t interval over seeds and clusters, both drawn at random.

    The variance of a mean over a crossed table of seeds and clusters: that between seeds, plus that between clusters,
    minus what both count (Cameron, Gelbach and Miller 2011; Satterthwaite 1946 for the degrees of freedom).

    Args:
        a: Scores of the first group in percent [seeds, questions].
        b: Of the second one; row s has the same seed.
        clusters: The cluster of each question, counted from 0.
        pooled: Of `pooled_paired`, where these are two of several groups. It counts where two groups' own seeds happen
            to agree more: among many pairs some do, and would look certain.
        level: Of the interval.
    """
    table = b - a
    seeds, both = _seed_part(table, clusters, pooled)
    return _t_interval(
        float(table.mean()), Variance((seeds,), _cluster_part(table.mean(axis=0), clusters), (both,)), level
    )


def separate_groups(
    a: Floats, b: Floats, clusters: Codes, *, pooled: Part | None = None, level: float = LEVEL
) -> Difference:
    """Two groups whose seeds differ: as `paired_groups`, with a seed part of each group of its own (Welch 1947).

    `pooled` is that of `pooled_separate`.
    """
    (of_a, both_a), (of_b, both_b) = _seed_part(a, clusters, pooled), _seed_part(b, clusters, pooled)
    per_question = b.mean(axis=0) - a.mean(axis=0)
    variance = Variance((of_a, of_b), _cluster_part(per_question, clusters), (both_a, both_b))
    return _t_interval(float(per_question.mean()), variance, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979) of the p-values of one family: rejecting those <= alpha keeps its error at alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


@cache
def quantile(df: float, probability: float) -> float:
    """The quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def _t_interval(mean: float, variance: Variance, level: float) -> Difference:
    from scipy.special import stdtr

    error, df = float(np.sqrt(variance.total)), variance.df
    if df <= 0:
        return Difference(mean, -np.inf, np.inf, 1.0, np.inf, 0.0, variance)
    if error == 0:
        # No spread at all: as after two runs with the same answers, or with a gap that is the same everywhere.
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0, 0.0, df, variance)
    half = quantile(df, (1 + level) / 2) * error
    return Difference(mean, mean - half, mean + half, 2 * float(stdtr(df, -abs(mean) / error)), error, df, variance)


def _cluster_part(values: Floats, clusters: Codes) -> Part:
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
