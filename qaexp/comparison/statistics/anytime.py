"""What it costs to look again and again while seeds are added: p-values that hold however often one looks.

While seeds are added, the statistic of a paired test moves like a Brownian motion whose information grows from that of
the first seeds to that of infinitely many, where only the questions are left to doubt. The log of that growth is all
the time there is to cross a boundary: Siegmund (1985, "Sequential Analysis", chapter 4) gives the probability that c
standard errors are ever crossed as that of crossing at once plus `growth * (c - 1/c) * phi(c)`. Where questions decide,
looking again costs nothing; where seeds decide, it costs most. docs/statistics.md has the size and the power by
simulation, beside those of other ways to pay for looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

# The information of the first look that can tell anything is that of so many seeds.
FIRST_SEEDS = 3

# Up to so many seeds the promise holds: without a last look there is no end to the growth where only seeds decide.
_LAST_SEEDS = 100

# Looks come after whole seeds, so that fewer crossings are seen than there are; by simulation, not derived.
_SEEN = 0.7

# Below so many standard errors the probability of crossing is not that of a rare event: it stays what it is here.
_LEAST = 1.56


@dataclass(frozen=True, slots=True)
class Looks:
    """The price of looking while seeds are added.

    Attributes:
        growth: The log of how much the information about a difference can still grow.
    """

    growth: float

    def p(self, planned: float) -> float:
        """The p-value that is at most u, at any look, with a probability of at most u where nothing differs.

        Args:
            planned: The two-sided p-value of a single planned look.

        >>> round(Looks(growth=0.0).p(0.03), 3), round(Looks(growth=1.0).p(0.03), 3)
        (0.03, 0.075)
        """
        return min(1.0, planned + _SEEN * self.growth * _crossings(planned))

    def level(self, alpha: float) -> float:
        """The level of a single look at which `p` is at most alpha: the inverse of `p`.

        >>> looks = Looks(growth=1.0)
        >>> round(looks.p(looks.level(0.05)), 6)
        0.05
        """
        return _level(self, alpha)


def looks_at(seeds: Sequence[tuple[float, int]], floor: float) -> Looks | None:
    """What looks at a growing number of seeds cost; None where no seeds vary.

    Args:
        seeds: The variance of the mean from each kind of seed, and from how many values it was computed.
        floor: The variance that is left with infinitely many seeds, that of the questions.
    """
    if not seeds or not any(value for value, _ in seeds):
        return None

    def variance(num: int) -> float:
        return sum(value * values / num for value, values in seeds) + floor

    return Looks(math.log(variance(FIRST_SEEDS) / variance(_LAST_SEEDS)))


def _crossings(p: float) -> float:
    from scipy.special import ndtri

    if p <= 0:
        return 0.0
    c = max(-float(ndtri(p / 2)), _LEAST)
    return (c - 1 / c) * math.exp(-c * c / 2) / math.sqrt(2 * math.pi)


@cache
def _level(looks: Looks, alpha: float) -> float:
    from scipy.optimize import brentq

    def excess(log_p: float) -> float:
        return math.log(looks.p(math.exp(log_p)) / alpha)

    # Without growth the level is alpha itself: rounding must not leave it outside of the bracket.
    highest = math.log(alpha) + 1e-9
    return min(alpha, math.exp(brentq(excess, highest - 40, highest, xtol=1e-12)))
