"""The winner's curse: the best of several noisy means is too good by chance, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence


def shrunk(value: float, means: Sequence[float], noise: float) -> float:
    """What to expect of one of several means: drawn towards their middle as far as their spread is noise.

    Empirical Bayes (after Efron and Morris 1973): `middle + (1 - noise / spread) * (value - middle)`, and the middle
    itself where the means spread no more than noise does. Of the best of three to ten means it takes away nearly all of
    what chance adds: tests/comparison/test_winner.py simulates it.

    Args:
        value: The mean that was chosen.
        means: All of them, this one too; at least two.
        noise: The variance of each from chance, in squared units of the means.

    >>> shrunk(3.0, [1.0, 2.0, 3.0], 0.5)
    2.5
    >>> shrunk(3.0, [1.0, 2.0, 3.0], 4.0)
    2.0
    """
    # fsum: the same bits in any order.
    middle = math.fsum(means) / len(means)
    spread = math.fsum((one - middle) ** 2 for one in means) / (len(means) - 1)
    return middle + max(0.0, 1.0 - noise / spread) * (value - middle) if spread > 0 else middle
