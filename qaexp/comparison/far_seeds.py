"""A seed that went wrong: one run of a setting that lies far from all its siblings."""

from __future__ import annotations

from collections.abc import Sequence

# Of fewer there is no telling which one is far from the others.
MIN_SIBLINGS = 3
_POINTS = 10.0
_RANGES = 3.0


def far_one(ordered: Sequence[float]) -> int | None:
    """Return the place of the one value that is far from all others; None where none is.

    Far is more than ten points from the nearest one, and more than three times what lies between the others.

    Args:
        ordered: The values of a setting's runs in percent, the lowest first.

    >>> far_one([44.0, 83.0, 84.0, 85.5]), far_one([70.0, 83.0, 84.0, 95.0])
    (0, None)
    """
    if len(ordered) < MIN_SIBLINGS:
        return None
    for place, gap, others in (
        (0, ordered[1] - ordered[0], ordered[1:]),
        (len(ordered) - 1, ordered[-1] - ordered[-2], ordered[:-1]),
    ):
        if gap > max(_POINTS, _RANGES * (others[-1] - others[0])):
            return place
    return None
