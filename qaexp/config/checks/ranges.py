"""Is a number in its range: the one sentence for all keys."""

from __future__ import annotations

import math
from collections.abc import Iterator


def number_problems(name: str, value: float, low: float | None, high: float | None, unit: str = "") -> Iterator[str]:
    """Say why a number is not legal, if it is not.

    Args:
        name: The dotted key.
        value: The number.
        low: The smallest legal value, inclusive; None: any.
        high: The largest legal value, inclusive; None: any.
        unit: The unit, for the sentence.

    >>> list(number_problems("seed", -1, 0, 9))
    ['seed=-1 is outside the legal values from 0 to 9']
    """
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{name}={value} is no finite number; take one of {_interval(low, high)}"
    elif (low is not None and value < low) or (high is not None and value > high):
        yield f"{name}={value} is outside {_interval(low, high)}{f' ({unit})' if unit else ''}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "the finite numbers"
    if high is None:
        return f"the legal values from {low:g} up"
    return f"the legal values from {f'{low:g}' if low is not None else '-inf'} to {high:.10g}"
