"""The smallest difference that the test at hand would have found, and what more seeds would change.

The test at a level requires `critical` standard errors. The power for a true difference is the probability
that a t variable, shifted by it, lies beyond them. That is exact for the t tests, whose standard error does not change
when one group is shifted; docs/statistics.md checks it by simulation for every kind of contrast.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from qaexp.comparison.statistics.difference import LEVEL, Difference, quantile

POWER = 0.8
MORE_SEEDS = (2, 5, 10, 20)
MOST_SEEDS = 100
MOST_TIMES = 100


def power(found: Difference, points: float, *, alpha: float = 1 - LEVEL) -> float | None:
    """The probability, 0 to 1, that the test finds a true difference of `points`; None if it can find nothing.

    >>> from qaexp.comparison.statistics.difference import Variance
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

    >>> from qaexp.comparison.statistics.difference import Variance
    >>> found = Difference(0.0, -2.0, 2.0, 1.0, 1.0, 1e6, Variance((), (1.0, 1e6)))
    >>> round(minimum_detectable(found), 2), round(minimum_detectable(found, level=1 - 0.05 / 45), 2)
    (2.8, 4.1)
    """
    if not _can_tell(found):
        return None
    reach = (found.critical(1 - level) + quantile(found.df, power)) * found.standard_error
    return reach if math.isfinite(reach) else None


def with_more_seeds(found: Difference, more: int, *, level: float = LEVEL) -> float | None:
    """The same with `more` seeds in each group: what questions contribute stays, what seeds contribute shrinks.

    Args:
        found: A difference of groups of seeds; None for single runs, which say nothing about seeds, and for
            crossed kinds of seeds, where it would have to be said which.
        more: How many seeds each group gets in addition.
        level: As for `minimum_detectable`.
    """
    if not found.variance.seeds or found.variance.is_crossed or not _can_tell(found):
        return None
    return minimum_detectable(found.with_variance(found.variance.with_more_seeds(more)), level=level)


def must_detect(found: Difference, relevant: float, *, level: float = LEVEL) -> float:
    """What a test must detect to tell two groups apart, or to find them equivalent.

    A difference that matters; less where the interval would still hold both 0 and what matters, if the difference stays
    what it is.
    """
    reach = minimum_detectable(found, level=level)
    if reach is None:
        return relevant
    size, half = abs(found.difference), found.critical(1 - level) * found.standard_error
    return min(relevant, max(size, relevant - size) * reach / half)


def enough_seeds(found: Difference, points: float, *, level: float = LEVEL) -> int | None:
    """The fewest more seeds in each group, up to a hundred, with which the test detects `points`; None: no number does.

    None, too, where `with_more_seeds` is.
    """

    def reaches(more: int) -> bool:
        reach = with_more_seeds(found, more, level=level)
        return reach is not None and reach <= points

    return _fewest(reaches, MOST_SEEDS)


def enough_questions(found: Difference, points: float, *, level: float = LEVEL) -> int | None:
    """How many times as many questions, of as many more texts, detect `points`; None if no number up to 100 does."""

    def reaches(times: int) -> bool:
        reach = minimum_detectable(found.with_variance(found.variance.with_questions(times)), level=level)
        return reach is not None and reach <= points

    return _fewest(reaches, MOST_TIMES) if _can_tell(found) else None


def enough_of_both(found: Difference, points: float, *, level: float = LEVEL) -> bool:
    """Whether a hundred more seeds in each group and a hundred times as many questions, together, detect `points`."""
    if found.variance.is_crossed or not _can_tell(found):
        return False
    variance = found.variance.with_questions(MOST_TIMES)
    if variance.seeds:
        variance = variance.with_more_seeds(MOST_SEEDS)
    reach = minimum_detectable(found.with_variance(variance), level=level)
    return reach is not None and reach <= points


def seeds_to_leave_out(found: Difference, value: float, *, level: float = LEVEL) -> int | None:
    """The fewest more seeds in each group, up to a hundred, whose interval leaves out a value; None: no number does.

    The difference is taken to stay what it is. None, too, where `with_more_seeds` is.

    >>> from qaexp.comparison.statistics.difference import Variance
    >>> variance = Variance(((4.0, 4.0),), (0.01, 1e6), (0.0,), values=(5,))
    >>> found = Difference(1.0, -3.0, 5.0, 0.6, 2.0, 4.0, variance)
    >>> seeds_to_leave_out(found, 0.0), seeds_to_leave_out(found, 1.0)
    (78, None)
    """
    if not found.variance.seeds or found.variance.is_crossed or not _can_tell(found):
        return None

    def reaches(more: int) -> bool:
        later = found.with_variance(found.variance.with_more_seeds(more))
        return later.critical(1 - level) * later.standard_error < abs(found.difference - value)

    return _fewest(reaches, MOST_SEEDS)


def _fewest(reaches: Callable[[int], bool], most: int) -> int | None:
    """The smallest number up to a limit that reaches it, where every larger one does too."""
    if not reaches(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _can_tell(found: Difference) -> bool:
    return math.isfinite(found.standard_error) and found.standard_error > 0
