"""Paired tests of two runs, or of two groups of runs, on the same questions; the parts of their variance are in spread.

Questions about one text are not independent: every test but McNemar's takes whole clusters of them (articles or
paragraphs). Between groups, seeds vary too, and both enter the interval. Differences are b - a, in points. A test
returns a `Difference`; `contrasts` decides whether anything can be concluded from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qaexp.comparison.statistics.difference import (
    LEVEL,
    Codes,
    Difference,
    Floats,
    Part,
    Variance,
    quantile,
)
from qaexp.comparison.statistics.spread import Seeds, cluster_part, own_seeds, seed_parts

Bools = npt.NDArray[np.bool_]
NUM_RESAMPLES = 10_000


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
    return _t_interval(float(values.mean()), Variance((), cluster_part(values, clusters)), level)


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
    standard error (Efron and Tibshirani 1993, chapter 12.5; symmetric, as Hall 1988 recommends). The t test is a floor:
    where one cluster holds most of the questions the resamples look far surer than a single large cluster can be; and
    beyond the largest of the resamples, p follows the t distribution, so that many comparisons can be corrected for.

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
    of_sums, of_sizes = weights @ sums**2, means**2 * (weights @ sizes**2)
    squares = of_sums - 2 * means * (weights @ (sums * sizes)) + of_sizes
    # A resample of one cluster over and over has no spread: what rounding leaves of it is none either.
    squares[squares <= 1e-12 * (of_sums + of_sizes)] = 0.0
    errors = np.sqrt(squares * num_clusters / (num_clusters - 1)) / num
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(np.where(errors > 0, (means - found.difference) / errors, np.inf * (means != found.difference)))
    t = np.sort(np.where(np.isnan(t), 0.0, t))[::-1]
    observed = abs(found.difference) / found.standard_error
    reached = int(np.sum(t >= observed))
    p = max(found.p, (1 + reached) / (num_resamples + 1) if reached else 0.0)
    tested = replace(found, p=p, resamples=t)
    low, high = tested.interval(1 - level)
    return replace(tested, low=low, high=high)


def paired_groups(
    a: Floats,
    b: Floats,
    clusters: Codes,
    *,
    pooled: Part | None = None,
    factors: Seeds = (),
    level: float = LEVEL,
) -> Difference:
    """Two groups with the same seeds: a t interval over seeds and clusters, both drawn at random.

    The variance of a mean over a crossed table of seeds and clusters: that between seeds, plus that between clusters,
    minus what both count (Cameron, Gelbach and Miller 2011; Satterthwaite 1946 for the degrees of freedom). Kinds of
    seeds that were swept apart have a part each, by the number of their own values: ten runs with two subsets are two
    observations of a subset. What kinds do together is then counted in each of them, which errs to the careful side.

    Args:
        a: Scores of the first group in percent [runs, questions].
        b: Of the second one; row s has the same seeds.
        clusters: The cluster of each question, counted from 0.
        pooled: From `pooled_paired`, for the runs' own seeds; used if there are no `factors`.
        factors: The kinds of seeds that were swept apart, each with its own pooled part.
        level: Of the interval.
    """
    table = b - a
    factors = factors or own_seeds(table, pooled)
    parts, both = seed_parts(table, clusters, factors)
    values = tuple(one.num_values for one in factors)
    variance = Variance(parts, cluster_part(table.mean(axis=0), clusters), both, len(parts) > 1, values)
    return _t_interval(float(table.mean()), variance, level)


def separate_groups(
    a: Floats,
    b: Floats,
    clusters: Codes,
    *,
    pooled: Part | None = None,
    factors: tuple[Seeds, Seeds] = ((), ()),
    level: float = LEVEL,
) -> Difference:
    """Two groups whose seeds differ: as `paired_groups`, with a seed part of each group of its own (Welch 1947).

    `pooled` comes from `pooled_separate`; `factors` are the factors of a, and of b.
    """
    seeds_a, seeds_b = factors[0] or own_seeds(a, pooled), factors[1] or own_seeds(b, pooled)
    of_a, both_a = seed_parts(a, clusters, seeds_a)
    of_b, both_b = seed_parts(b, clusters, seeds_b)
    per_question = b.mean(axis=0) - a.mean(axis=0)
    is_crossed, values = max(len(of_a), len(of_b)) > 1, tuple(one.num_values for one in (*seeds_a, *seeds_b))
    variance = Variance((*of_a, *of_b), cluster_part(per_question, clusters), (*both_a, *both_b), is_crossed, values)
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


def _t_interval(mean: float, variance: Variance, level: float) -> Difference:
    from scipy.special import stdtr

    error, df = float(np.sqrt(variance.total)), variance.df
    if df <= 0:
        return Difference(mean, -np.inf, np.inf, 1.0, np.inf, 0.0, variance)
    if error == 0:
        # No spread at all. After the same answers there is nothing to test; of a gap that is the same in all of n
        # clusters no more is known than that all n have one sign (Fisher's sign flips): p = 2 / 2^n.
        p = 1.0 if mean == 0 else min(1.0, 2.0 ** -variance.clusters[1])
        return Difference(mean, mean, mean, p, 0.0, df, variance)
    half = quantile(df, (1 + level) / 2) * error
    return Difference(mean, mean - half, mean + half, 2 * float(stdtr(df, -abs(mean) / error)), error, df, variance)
