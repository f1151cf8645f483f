"""How many questions each set of a mix gives, and in which order they come: exact shares, and no question twice.

The sets take turns by the rule of Webster (Sainte-Laguë): whoever is furthest behind its share comes next. So every
beginning of the mix has the shares of the whole, to about one question, and a smaller mix is the beginning of a larger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qaexp.data.subsets import is_all
from qaexp.errors import ConfigError
from qaexp.errors.rules import refuse, size_problems
from qaexp.storage.mix import whole_weights


@dataclass(frozen=True, slots=True)
class Turns:
    """Which set gives each question of a mix.

    Attributes:
        names: The sets, sorted by name.
        turns: The number of the set of each question, in the order of the mix; as many as can be had without taking a
            question twice, int64 `[most]`.
        ended: The set whose turn would be next, and which has no more.
    """

    names: tuple[str, ...]
    turns: NDArray[np.int64]
    ended: str

    def counts(self, total: int) -> dict[str, int]:
        """How many questions each set gives to the first ones of the mix."""
        found = np.bincount(self.turns[:total], minlength=len(self.names))
        return dict(zip(self.names, found.tolist(), strict=True))


def take_turns(sizes: Mapping[str, int], weights: Mapping[str, float]) -> Turns:
    """Let sets take turns until one of them has no more.

    Args:
        sizes: How many questions each set has, at least 1.
        weights: Their weights, above 0; only what they are to each other counts.

    >>> turns = take_turns({"a": 7, "b": 100}, {"a": 0.7, "b": 0.3})
    >>> len(turns.turns), turns.counts(10), turns.counts(4)
    (10, {'a': 7, 'b': 3}, {'a': 3, 'b': 1})
    """
    names = tuple(sorted(sizes))
    whole = whole_weights({name: weights[name] for name in names})
    # A quotient of whole numbers is rounded alike whatever their factor: equal places stay equal, and names decide.
    places = [(2 * np.arange(sizes[name] + 1, dtype=np.float64) + 1) / float(whole[name]) for name in names]
    owners = np.repeat(np.arange(len(names)), [len(one) for one in places])
    numbers = np.concatenate([np.arange(len(one)) for one in places])
    order = np.lexsort((owners, np.concatenate(places)))
    owners, numbers = owners[order], numbers[order]
    is_beyond = numbers == np.array([sizes[name] for name in names])[owners]
    most = int(np.argmax(is_beyond))
    return Turns(names, owners[:most], names[int(owners[most])])


def mixed_total(size: float | None, turns: Turns, sizes: Mapping[str, int]) -> int:
    """Return how many questions a mix takes.

    Args:
        size: The value of `data.train_size`: a number, a fraction of the largest mix, or None for the largest.
        turns: Who gives them.
        sizes: How many questions each set has.

    Raises:
        ConfigError: It is no legal size, one set has fewer than its share, or a set would give none.
    """
    key, most = "data.train_size", len(turns.turns)
    refuse(size_problems(key, size))
    total = most if size is None or is_all(size) else math.floor(size * most + 0.5) if size < 1 else int(size)
    total = max(1, total)
    if total > most:
        short = turns.ended
        raise ConfigError(
            f"{key}={size:.15g} is more than data.mix can give by its weights: after {most} questions all "
            f"{sizes[short]} of {short} are taken, and none is taken twice; take at most {most}, or null for as many, "
            f"or lower data.mix.{short}.weight"
        )
    for name, count in turns.counts(total).items():
        if count == 0:
            raise ConfigError(_gives_none(name, total, turns))
    return total


def _gives_none(name: str, total: int, turns: Turns) -> str:
    asked = f"data.mix.{name} gives none of {total} questions by its weight"
    places = np.flatnonzero(turns.turns == turns.names.index(name))
    if not len(places):
        return f"{asked}, as another set ends before its turn; raise data.mix.{name}.weight, or leave the set out"
    least = int(places[0]) + 1
    return f"{asked}; raise data.train_size to at least {least} or data.mix.{name}.weight, or leave the set out"
