"""Long numbers in names, cut to the digits that tell them apart: what a search drew at random is nobody's to read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

_LONG = re.compile(r"(?<![\w.])-?\d+\.\d{5,}(?:e-?\d+)?(?![\w.])")
_DIGITS = range(4, 17)


def brief(names: Sequence[str]) -> list[str]:
    """Return names with no more digits than tell them apart, four of each number at least.

    >>> brief(["lr=0.0008574042765875 decay=0.1", "lr=0.0001242832764995"])
    ['lr=0.0008574 decay=0.1', 'lr=0.0001243']
    >>> brief(["0.12345678", "0.12345612"]), brief(["0.0003", "v1.123456.2"])
    (['0.1234568', '0.1234561'], ['0.0003', 'v1.123456.2'])
    """
    wanted = len(set(names))
    for digits in _DIGITS:
        found = [_LONG.sub(partial(_rounded, digits), name) for name in names]
        if len(set(found)) == wanted:
            return found
    return list(names)


def _rounded(digits: int, number: re.Match[str]) -> str:
    return f"{float(number[0]):.{digits}g}".replace("e-0", "e-")
