"""A difference of two groups with its uncertainty: where its variance comes from, its interval, its critical value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from qaexp.comparison.statistics.anytime import Looks, looks_at

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
        values: From how many values each of `seeds` was computed, by the same keys.
    """

    seeds: tuple[Part, ...]
    clusters: Part
    both: tuple[float, ...] = ()
    is_crossed: bool = False
    values: tuple[int, ...] = ()

    @property
    def of_questions(self) -> float:
        """What is left with infinitely many seeds."""
        return max(self.clusters[0] - sum(self.both), 0.0)

    def with_more_seeds(self, more: int) -> Variance:
        """The same with so many more values of each kind of seed: what questions contribute stays."""
        shares = [num / (num + more) for num in self.values]
        parts = list(zip(self.seeds, self.both, shares, strict=True))
        # The part of the clusters contains some of the spread of seeds too.
        less = sum(both * (1 - share) for _, both, share in parts)
        return replace(
            self,
            seeds=tuple((value * share, df + more) for (value, df), _, share in parts),
            clusters=(max(self.clusters[0] - less, 0.0), self.clusters[1]),
            both=tuple(both * share for _, both, share in parts),
            values=tuple(num + more for num in self.values),
        )

    def with_questions(self, times: int) -> Variance:
        """The same with so many times as many questions, of as many more texts: what seeds contribute stays."""
        value, df = self.clusters
        return replace(self, clusters=(value / times, df * times), both=tuple(both / times for both in self.both))

    @property
    def looks(self) -> Looks | None:
        """What it costs to look while seeds are added; None where no seeds vary."""
        parts = [(value, num) for (value, _), num in zip(self.seeds, self.values, strict=True)]
        return looks_at(parts, self.of_questions)

    @property
    def total(self) -> float:
        """The variance of the difference; never less than its largest part."""
        parts = [value for value, _ in (*self.seeds, self.clusters)]
        return max(sum(parts) - sum(self.both), *parts)

    @property
    def df(self) -> float:
        """Degrees of freedom of `total`, for a single planned look.

        Without seeds those of the clusters. With them half of Satterthwaite's, and at least those of the part with the
        fewest: three seeds that happen to agree make the variance too small and Satterthwaite's degrees of freedom too
        many at the same time, and the simulation in docs/statistics.md rejects up to 8 % with all of them. A part with
        one degree of freedom, of two seeds or two values of a crossed kind, decides alone: it agrees by chance
        so often that with more degrees of freedom the same simulation rejects up to 9 %, whatever the other parts are.
        """
        return self._df(1 / 2)

    @property
    def df_at_any_look(self) -> float:
        """The same for any number of looks: a tenth of Satterthwaite's, as some look sees seeds agree by chance."""
        return self._df(1 / 10)

    def _df(self, share: float) -> float:
        if not np.isfinite(self.total):
            return 0.0
        if not self.seeds:
            return self.clusters[1]
        fewest = min(df for _, df in (*self.seeds, self.clusters))
        return fewest if fewest < 2 else max(satterthwaite((*self.seeds, self.clusters), self.total) * share, fewest)


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
        p: Two-sided p-value of "no difference"; with `looks` it holds however often one looks while seeds are added.
        standard_error: Of `difference`.
        df: Degrees of freedom of its t distribution.
        variance: Its parts.
        resamples: Sizes of the t statistic in a bootstrap's resamples, the largest first; None without a bootstrap.
        looks: The price of looks that were not planned; None where the test is for a single look.
    """

    difference: float
    low: float
    high: float
    p: float
    standard_error: float
    df: float
    variance: Variance
    resamples: Floats | None = field(default=None, compare=False, repr=False)
    looks: Looks | None = None

    def at_any_look(self) -> Difference:
        """The same however often one looks while seeds are added; nothing changes without seeds."""
        looks = self.variance.looks
        if looks is None or not self.standard_error or not np.isfinite(self.standard_error):
            return self
        found = replace(self, looks=looks, df=self.variance.df_at_any_look)
        low, high = found.interval(1 - LEVEL)
        return replace(found, p=found.p_of(0.0), low=low, high=high)

    def with_variance(self, variance: Variance) -> Difference:
        """What the test would give with another uncertainty and the same difference; p and interval are not known."""
        df = variance.df if self.looks is None else variance.df_at_any_look
        looks = None if self.looks is None else variance.looks
        error = float(np.sqrt(variance.total))
        return replace(
            self, low=-np.inf, high=np.inf, p=1.0, standard_error=error, df=df, variance=variance, looks=looks
        )

    def p_of(self, value: float) -> float:
        """The two-sided p-value of a true difference of `value`; 1 where nothing is known of the uncertainty."""
        from scipy.special import stdtr

        if not np.isfinite(self.standard_error) or self.standard_error == 0:
            return 1.0
        distance = abs(self.difference - value) / self.standard_error
        found = 2 * float(stdtr(self.df, -distance))
        if self.resamples is not None and (reached := int(np.sum(self.resamples >= distance))):
            found = max(found, (1 + reached) / (len(self.resamples) + 1))
        return found if self.looks is None else self.looks.p(found)

    def p_equivalent(self, relevant: float) -> float:
        """The p-value of "the true difference is `relevant` or more": of two one-sided tests (Schuirmann 1987)."""
        if abs(self.difference) >= relevant:
            return 1.0
        return max(self.p_of(relevant), self.p_of(-relevant)) / 2

    def critical(self, alpha: float) -> float:
        """How many standard errors a difference must exceed for the test to reject at a level.

        >>> round(Difference(0.0, 0.0, 0.0, 1.0, 1.0, 1e9, Variance((), (1.0, 1e9))).critical(0.05), 2)
        1.96
        """
        alpha = alpha if self.looks is None else self.looks.level(alpha)
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
