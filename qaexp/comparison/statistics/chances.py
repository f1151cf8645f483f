"""How probable it is that a difference matters: the t posterior of a tested difference under a flat prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qaexp.comparison.statistics.difference import Difference

MODEL = "t posterior under a flat prior"


@dataclass(frozen=True, slots=True)
class Chances:
    """Where the true difference lies, as probabilities that add up to 1.

    Attributes:
        above: More than what matters above 0.
        within: No further from 0 than what matters.
        below: More than what matters below 0.
    """

    above: float
    within: float
    below: float


def chances(found: Difference, relevant: float) -> Chances | None:
    """The probabilities under a flat prior: the difference, moved by a t variable times its standard error.

    They say what this data makes probable and promise no error rate: verdicts do not depend on them.

    Args:
        found: What the test gave.
        relevant: The smallest difference that matters.

    Returns:
        None where nothing is known of the uncertainty.

    >>> from qaexp.comparison.statistics.difference import Variance
    >>> found = chances(Difference(1.0, -1.0, 3.0, 0.3, 1.0, 1e6, Variance((), (1.0, 1e6))), 1.0)
    >>> round(found.above, 2), round(found.below, 3)
    (0.5, 0.023)
    """
    from scipy.special import stdtr

    if not math.isfinite(found.standard_error) or found.standard_error == 0:
        return None
    df = found.variance.df
    below = float(stdtr(df, (-relevant - found.difference) / found.standard_error))
    above = float(stdtr(df, (found.difference - relevant) / found.standard_error))
    return Chances(above, max(0.0, 1.0 - above - below), below)
