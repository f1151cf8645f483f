"""What can vary independently in a group of runs: seeds, kinds of seeds swept apart, and averaged settings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.runs.readers.repeats import SEED_KINDS

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """How the runs of a group become observations: one for each set of seeds, its other settings averaged.

    Attributes:
        rows: The runs of each observation, by their place in the group.
        seeds: The seeds of each observation.
        kinds: The kinds of seeds that were swept apart: `seed` where all of them go together, else `seeds.init` ...
        factors: For each of them its value in each observation, counted from 0.
        fixed: Kinds of seeds that are the same in all runs while others vary: the runs say nothing about them.
        num_nested: Runs of each value of the only kind, where others vary within it.
        num_settings: Other settings that are averaged, each with the same seeds.
        setting_keys: The keys that differ between them.
        weights: Of each run in the group's mean: every setting has the same, whatever its seeds. None: equal weights.
        problem: Why the runs allow no statement about seeds; None where they do.
    """

    rows: tuple[tuple[int, ...], ...]
    seeds: tuple[tuple[Any, ...], ...]
    kinds: tuple[str, ...] = ()
    factors: tuple[Codes, ...] = ()
    fixed: tuple[str, ...] = ()
    num_nested: int = 1
    num_settings: int = 1
    setting_keys: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None
    problem: str | None = None

    @property
    def levels(self) -> tuple[int, ...]:
        """How many values each kind of seed has; its variance is estimated from them."""
        return tuple(int(codes.max()) + 1 for codes in self.factors)

    @property
    def n(self) -> int:
        """How many values the kind with the fewest has; 1 for a single observation."""
        return min(self.levels, default=1)

    @property
    def is_crossed(self) -> bool:
        """Several kinds of seeds were swept apart."""
        return len(self.factors) > 1

    def mean(self, values: Floats) -> float:
        """The mean over settings of the mean over their runs: [runs, ...] to a number."""
        each = values.reshape(len(values), -1).mean(axis=1)
        # fsum: the same bits in any order.
        if self.weights is None:
            return math.fsum(each) / len(each)
        return math.fsum(weight * value for weight, value in zip(self.weights, each, strict=True))

    def observations(self, values: Floats) -> Floats:
        """The mean of each observation's runs: [runs, ...] to [observations, ...]."""
        return np.stack([values[list(places)].mean(axis=0) for places in self.rows])

    @property
    def words(self) -> str:
        """What there is of what.

        >>> design([(0,) * 4, (1,) * 4]).words
        '2 seeds'
        >>> design([(subset, init, 0, 0) for subset in (0, 1) for init in (0, 1, 2)]).words
        '2 seeds.subset x 3 seeds.init, crossed'
        """
        if self.problem:
            return self.problem
        count = len(self.rows)
        parts = [f"{level} {plural(kind, level)}" for kind, level in zip(self.kinds, self.levels, strict=True)]
        seeds = " x ".join(parts) or "1 seed"
        if self.is_crossed:
            seeds += ", crossed"
        elif self.num_nested > 1:
            seeds += f", {count // self.levels[0]} runs within each"
        if self.num_settings > 1:
            return f"{self.num_settings} other settings ({', '.join(self.setting_keys)}), averaged, x {seeds}"
        return seeds


def plural(kind: str, count: int) -> str:
    """The name of a kind of seed beside a number of them."""
    return "seeds" if kind == "seed" and count != 1 else kind


def design(
    seeds: Sequence[tuple[Any, ...]],
    settings: Sequence[Hashable] | None = None,
    setting_keys: Sequence[str] = (),
) -> Design:
    """Recognise the design of runs whose seeds, or seeds and settings, all differ.

    Args:
        seeds: Those of subset, init, order and dropout of each run.
        settings: What else may differ between the runs of the group (`--by`); None where nothing does.
        setting_keys: The names of the keys that do.

    >>> nested = design([(0, 0, 0, 0), (0, 1, 0, 0), (1, 2, 0, 0), (1, 3, 0, 0)])
    >>> nested.kinds, nested.levels, nested.num_nested
    (('seeds.subset',), (2,), 2)
    >>> design([(0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0)]).problem
    'seeds.subset and seeds.init were swept apart, and not all combinations were run'
    """
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, seed in enumerate(seeds):
        places.setdefault(seed, []).append(place)
    rows, distinct = tuple(map(tuple, places.values())), tuple(places)
    several = {frozenset(Counter(settings[place] for place in row).items()) for row in rows} if settings else set()
    num_settings = len(set(settings)) if settings else 1
    keys = tuple(setting_keys)
    if len(several) > 1 or any(len(row) != num_settings for row in rows):
        problem = f"the other settings ({', '.join(keys)}) do not all have the same seeds"
        weights = _weights(settings) if settings else None
        return Design(rows, distinct, num_settings=num_settings, setting_keys=keys, weights=weights, problem=problem)
    return _of_seeds(rows, distinct, num_settings, keys)


def _weights(settings: Sequence[Hashable]) -> tuple[float, ...]:
    counts = Counter(settings)
    return tuple(1 / len(counts) / counts[setting] for setting in settings)


def _of_seeds(
    rows: tuple[tuple[int, ...], ...], seeds: tuple[tuple[Any, ...], ...], num_settings: int, keys: tuple[str, ...]
) -> Design:
    bundles = _bundles(seeds)
    fixed = tuple(f"seeds.{kind}" for kind in SEED_KINDS if not any(kind in names for names, _ in bundles))
    # A kind whose values each occur within one value of another kind is nested in it: the coarser one was drawn.
    kept = [one for one in bundles if not any(_determines(one[1], other[1]) for other in bundles if other is not one)]
    counts = Counter(zip(*(codes for _, codes in kept), strict=True)) if kept else Counter()
    is_balanced = len(set(counts.values())) <= 1
    is_complete = len(counts) == math.prod(len(set(codes)) for _, codes in kept)
    problem = None
    if bundles and not (is_balanced and is_complete):
        names = " and ".join(_name(names) for names, _ in bundles)
        problem = f"{names} were swept apart, and not all combinations were run"
    return Design(
        rows,
        seeds,
        kinds=tuple(_name(names) for names, _ in kept) if not problem else (),
        factors=tuple(np.array(codes, dtype=np.intp) for _, codes in kept) if not problem else (),
        fixed=fixed if bundles else (),
        num_nested=next(iter(counts.values()), 1),
        num_settings=num_settings,
        setting_keys=keys,
        problem=problem,
    )


def _bundles(seeds: Sequence[tuple[Any, ...]]) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The kinds of seeds that vary, those that always change together as one, and the value of each in each run."""
    found: dict[tuple[int, ...], list[str]] = {}
    for place, kind in enumerate(SEED_KINDS):
        values = [repr(seed[place]) for seed in seeds]
        order = list(dict.fromkeys(values))
        codes = tuple(order.index(value) for value in values)
        if len(order) > 1:
            found.setdefault(codes, []).append(kind)
    return [(tuple(names), codes) for codes, names in found.items()]


def _determines(fine: Sequence[int], coarse: Sequence[int]) -> bool:
    """Whether each value of one goes with a single value of the other."""
    return len(set(zip(fine, coarse, strict=True))) == len(set(fine))


def _name(kinds: Sequence[str]) -> str:
    return "seed" if len(kinds) == len(SEED_KINDS) else "+".join(f"seeds.{kind}" for kind in kinds)
