"""How small a difference a comparison could have shown, and what more seeds would do about it."""

from __future__ import annotations

import math
from dataclasses import replace

from qaexp.comparison.tests import LEVEL, Difference, Variance, quantile

POWER = 0.8
MORE_SEEDS = (2, 5, 10, 20)


def minimum_detectable(found: Difference, *, power: float = POWER, level: float = LEVEL) -> float | None:
    """The smallest true difference, in points, that such a comparison finds with a probability of `power`.

    The sum of the two t quantiles times the standard error (Bloom 1995); None where the standard error is unknown.

    >>> from qaexp.comparison.tests import Variance
    >>> found = Difference(0.0, -2.0, 2.0, 1.0, 1.0, 1e6, Variance((), (1.0, 1e6)))
    >>> round(minimum_detectable(found), 2)
    2.8
    """
    if not math.isfinite(found.standard_error):
        return None
    return (quantile(found.df, (1 + level) / 2) + quantile(found.df, power)) * found.standard_error


def with_more_seeds(found: Difference, num_seeds: int, more: int) -> float | None:
    """The same with `more` seeds in each group: what questions contribute stays, what seeds contribute shrinks.

    Args:
        found: A difference of groups of seeds; of single runs nothing is known about seeds (None).
        num_seeds: Seeds of each group.
        more: How many seeds each group gets in addition.
    """
    variance = found.variance
    if not variance.seeds:
        return None
    shrunk = num_seeds / (num_seeds + more)
    larger = Variance(
        tuple((value * shrunk, df + more) for value, df in variance.seeds),
        # Of the spread of clusters, too, a part is that of seeds.
        (max(variance.clusters[0] - sum(variance.both) * (1 - shrunk), 0.0), variance.clusters[1]),
        tuple(value * shrunk for value in variance.both),
    )
    return minimum_detectable(replace(found, standard_error=math.sqrt(larger.total), df=larger.df, variance=larger))
