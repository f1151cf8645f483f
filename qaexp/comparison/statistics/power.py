"""The smallest difference that the test at hand would have found, and what more seeds would change.

The test at a level requires `critical` standard errors. The power for a true difference is the probability
that a t variable, shifted by it, lies beyond them. That is exact for the t tests, whose standard error does not change
when one group is shifted; docs/statistics.md checks it by simulation for every kind of contrast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from qaexp.comparison.statistics.difference import LEVEL, Difference, Variance, quantile

POWER = 0.8
MORE_SEEDS = (2, 5, 10, 20)


def power(found: Difference, points: float, *, alpha: float = 1 - LEVEL) -> float | None:
    """The probability, 0 to 1, that the test finds a true difference of `points`; None if it can find nothing.

    >>> found = Difference(0.0, -2.0, 2.0, 1.0, 1.0, 1e6, Variance((), (1.0, 1e6)))
    >>> round(power(found, 2.8), 2), round(power(found, 0.0), 2)
    (0.8, 0.05)
    """
    from scipy.special import stdtr

    if not _can_tell(found):
        return None
    critical, moved = found.critical(alpha), abs(points) / found.standard_error
    return float(stdtr(found.df, moved - critical) + stdtr(found.df, -moved - critical))


def minimum_detectable(found: Difference, *, power: float = POWER, level: float = LEVEL) -> float | None:
    """The smallest true difference, in points, that the test at 1 - level finds with a probability of `power`.

    The critical value plus the t quantile, times the standard error (Bloom 1995). None if the test can find
    nothing: the standard error is unknown, all scores are equal (nothing is known of how they would vary), or there are
    too few clusters for this level.

    Args:
        found: What the test gave.
        power: The probability.
        level: Of the test; for one of m contrasts 1 - 0.05 / m, the first step of Holm's correction.

    >>> found = Difference(0.0, -2.0, 2.0, 1.0, 1.0, 1e6, Variance((), (1.0, 1e6)))
    >>> round(minimum_detectable(found), 2), round(minimum_detectable(found, level=1 - 0.05 / 45), 2)
    (2.8, 4.1)
    """
    if not _can_tell(found):
        return None
    reach = (found.critical(1 - level) + quantile(found.df, power)) * found.standard_error
    return reach if math.isfinite(reach) else None


def with_more_seeds(
    found: Difference, num_seeds: int | Sequence[int], more: int, *, level: float = LEVEL
) -> float | None:
    """The same with `more` seeds in each group: what questions contribute stays, what seeds contribute shrinks.

    Args:
        found: A difference of groups of seeds; None for single runs, which say nothing about seeds, and for
            crossed kinds of seeds, where it would have to be said which.
        num_seeds: Seeds of each pair, or of each of the two groups.
        more: How many seeds each group gets in addition.
        level: As for `minimum_detectable`.
    """
    variance = found.variance
    if not variance.seeds or variance.is_crossed or not _can_tell(found):
        return None
    counts = [num_seeds] * len(variance.seeds) if isinstance(num_seeds, int) else list(num_seeds)
    shrunk = [count / (count + more) for count in counts]
    parts = list(zip(variance.seeds, variance.both, shrunk, strict=True))
    # The part of the clusters contains some of the spread of seeds too.
    less = sum(both * (1 - share) for _, both, share in parts)
    larger = Variance(
        tuple((value * share, df + more) for (value, df), _, share in parts),
        (max(variance.clusters[0] - less, 0.0), variance.clusters[1]),
        tuple(both * share for _, both, share in parts),
    )
    if larger.total == 0:
        return None
    return minimum_detectable(
        replace(found, standard_error=math.sqrt(larger.total), df=larger.df, variance=larger), level=level
    )


def _can_tell(found: Difference) -> bool:
    return math.isfinite(found.standard_error) and found.standard_error > 0
