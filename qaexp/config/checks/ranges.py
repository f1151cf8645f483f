"""Whether values are among those that the schema allows: the one sentence for all numbers, and the one for words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from qaexp.config.schema import leaves
from qaexp.errors.rules import choice_problems


def range_problems(settings: Any, schema: Any, prefix: str = "") -> Iterator[str]:
    """Say which values of a config, or of one node, are outside of what the schema declares.

    Args:
        settings: Its values.
        schema: The dataclass that declares them.
        prefix: What the keys of a node begin with, for example `trainer.`.
    """
    for name, item, _ in leaves(schema, prefix):
        value, about = attrgetter(name.removeprefix(prefix))(settings), item.metadata
        if isinstance(value, str) and (choices := about.get("choices")):
            yield from choice_problems(name, value, choices)
        # What is wrong with `seed` is not said again for each seed that follows it.
        elif isinstance(value, int | float) and not isinstance(value, bool) and not name.startswith("seeds."):
            yield from number_problems(name, value, about.get("low"), about.get("high"), about.get("unit", ""))


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
        yield f"{name}={value} is not a finite number; take one of {_interval(low, high)}"
    elif (low is not None and value < low) or (high is not None and value > high):
        yield f"{name}={value} is outside {_interval(low, high)}{f' ({unit})' if unit else ''}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "the finite numbers"
    if high is None:
        return f"the legal values from {low:g} up"
    return f"the legal values from {f'{low:g}' if low is not None else '-inf'} to {high:.10g}"
