"""A difference of two groups with its uncertainty: where its variance comes from, its interval, its critical value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
# A variance, and its degrees of freedom.
Part = tuple[float, float]

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Variance:
    """Where the uncertainty of a difference comes from, in squared points.

    Attributes:
        seeds: The part of each kind of seed that was swept apart, of each group or of the pairs: (variance of the mean,
            degrees of freedom) each.
        clusters: The part of the clusters of questions, and its degrees of freedom.
        both: What `seeds` and `clusters` both count, by the same keys as `seeds`.
        is_crossed: Several kinds of seeds were crossed in one group.
    """

    seeds: tuple[Part, ...]
    clusters: Part
    both: tuple[float, ...] = ()
    is_crossed: bool = False

    @property
    def total(self) -> float:
        """The variance of the difference; never less than its largest part."""
        parts = [value for value, _ in (*self.seeds, self.clusters)]
        return max(sum(parts) - sum(self.both), *parts)

    @property
    def df(self) -> float:
        """Degrees of freedom of `total`.

        Without seeds those of the clusters. With them half of Satterthwaite's, and at least those of the part with the
        fewest: three seeds that happen to agree make the variance too small and Satterthwaite's degrees of freedom too
        many at the same time, and the simulation in docs/statistics.md rejects up to 8 % with all of them. A part with
        one degree of freedom, of two seeds or two values of a crossed kind, decides alone: it agrees by chance
        so often that with more degrees of freedom the same simulation rejects up to 9 %, whatever the other parts are.
        """
        if not np.isfinite(self.total):
            return 0.0
        if not self.seeds:
            return self.clusters[1]
        fewest = min(df for _, df in (*self.seeds, self.clusters))
        return fewest if fewest < 2 else max(satterthwaite((*self.seeds, self.clusters), self.total) / 2, fewest)


def satterthwaite(parts: Sequence[Part], total: float) -> float:
    """The degrees of freedom of a sum of variances (Satterthwaite 1946); the largest part's where all are 0.

    >>> satterthwaite([(1.0, 4.0), (1.0, 4.0)], 2.0)
    8.0
    """
    below = sum(value**2 / df for value, df in parts)
    return total**2 / below if below > 0 else max(df for _, df in parts)


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
        resamples: Sizes of the t statistic in a bootstrap's resamples, the largest first; None without a bootstrap.
    """

    difference: float
    low: float
    high: float
    p: float
    standard_error: float
    df: float
    variance: Variance
    resamples: Floats | None = field(default=None, compare=False, repr=False)

    def critical(self, alpha: float) -> float:
        """How many standard errors a difference must exceed for the test to reject at a level.

        >>> round(Difference(0.0, 0.0, 0.0, 1.0, 1.0, 1e9, Variance((), (1.0, 1e9))).critical(0.05), 2)
        1.96
        """
        by_t = quantile(self.df, 1 - alpha / 2)
        if self.resamples is None:
            return by_t
        reached = max(int(alpha * (len(self.resamples) + 1) * (1 + 1e-12)) - 1, 0)
        return max(by_t, float(self.resamples[reached]))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval that leaves out 0 exactly where the test rejects at this level."""
        if not np.isfinite(self.standard_error):
            return -np.inf, np.inf
        half = self.critical(alpha) * self.standard_error if self.standard_error else 0.0
        return self.difference - half, self.difference + half


@cache
def quantile(df: float, probability: float) -> float:
    """The quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))
