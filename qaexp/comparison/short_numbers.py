"""Cuts long numbers in names to the digits that tell the names apart, as those of a random search need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

_LONG = re.compile(r"(?<![\w.])-?\d+\.\d{5,}(?:e-?\d+)?(?![\w.])")
_DIGITS = range(4, 17)


def shorten_numbers(names: Sequence[str]) -> list[str]:
    """Return names with only the digits needed to tell them apart, at least four of each number.

    >>> shorten_numbers(["lr=0.0008574042765875 decay=0.1", "lr=0.0001242832764995"])
    ['lr=0.0008574 decay=0.1', 'lr=0.0001243']
    >>> shorten_numbers(["0.12345678", "0.12345612"]), shorten_numbers(["0.0003", "v1.123456.2"])
    (['0.123457', '0.123456'], ['0.0003', 'v1.123456.2'])
    """
    return shorten_numbers_in(names, names)


def shorten_numbers_in(texts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return texts with their numbers cut to the digits that tell names apart.

    Args:
        texts: Sentences about what has these names.
        names: The names.

    >>> shorten_numbers_in(["lr=0.0008574042765875 leads."], ["lr=0.0008574042765875", "lr=0.0001242832764995"])
    ['lr=0.0008574 leads.']
    """
    wanted = len(set(names))
    for digits in _DIGITS:
        cut = partial(_LONG.sub, partial(_rounded, digits))
        if len({cut(name) for name in names}) == wanted:
            return [cut(text) for text in texts]
    return list(texts)


def _rounded(digits: int, number: re.Match[str]) -> str:
    return f"{float(number[0]):.{digits}g}".replace("e-0", "e-")
