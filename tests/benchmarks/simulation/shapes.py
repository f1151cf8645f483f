"""Shapes of comparisons: which seeds, and with `--by` which other settings, the runs of each group have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from qaexp.comparison.observations import Design, design
from qaexp.comparison.statistics.difference import Codes

OFFSETS = (-0.2, 0.0, 0.2)
"""What each of the settings that `--by` averages does to the sums."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a group.

    Attributes:
        design: As qaexp recognises it.
        causes: The values of everything that was drawn for them, a seed or a part of it, counted from 0.
        settings: The other setting of each.
    """

    design: Design
    causes: tuple[Codes, ...]
    settings: Codes

    @property
    def num(self) -> int:
        return len(self.settings)


Maker = Callable[[int], Runs]
"""Takes the first value of the seeds."""


@dataclass(frozen=True)
class Shape:
    """A kind of comparison.

    Attributes:
        name: In words.
        makers: Of the first group, the second one, and so on in turn.
        same: Whether the groups have the same seeds.
        offsets: Of the settings.
        num_causes: How many things are drawn for a run; none where the claim is about the very runs.
    """

    name: str
    makers: tuple[Maker, ...]
    same: bool = True
    offsets: tuple[float, ...] = (0.0,)
    num_causes: int = field(default=1)

    def runs(self, group: int) -> Runs:
        return _made(self.makers[group % len(self.makers)], 0 if self.same else 1000 * group)


@cache
def _made(maker: Maker, start: int) -> Runs:
    return maker(start)


def _codes(values: list[int]) -> Codes:
    return np.array(values, dtype=np.intp)


def single(start: int) -> Runs:
    return Runs(design([(start,) * 4]), (), _codes([0]))


def seeds(num: int) -> Maker:
    def make(start: int) -> Runs:
        return Runs(design([(start + s,) * 4 for s in range(num)]), (_codes(list(range(num))),), _codes([0] * num))

    return make


def crossed(subsets: int, inits: int) -> Maker:
    def make(start: int) -> Runs:
        pairs = [(s, i) for s in range(subsets) for i in range(inits)]
        found = design([(start + s, start + i, 0, 0) for s, i in pairs])
        return Runs(found, (_codes([s for s, _ in pairs]), _codes([i for _, i in pairs])), _codes([0] * len(pairs)))

    return make


def nested(subsets: int, inits: int) -> Maker:
    def make(start: int) -> Runs:
        places = range(subsets * inits)
        found = design([(start + p // inits, start + p, 0, 0) for p in places])
        return Runs(found, (_codes([p // inits for p in places]), _codes(list(places))), _codes([0] * len(places)))

    return make


def averaged(num: int) -> Maker:
    def make(start: int) -> Runs:
        pairs = [(setting, s) for setting in range(len(OFFSETS)) for s in range(num)]
        settings = [setting for setting, _ in pairs]
        found = design([(start + s,) * 4 for _, s in pairs], settings, ("optimizer.lr",))
        return Runs(found, (_codes([s for _, s in pairs]), _codes(list(range(len(pairs))))), _codes(settings))

    return make


def _shapes() -> dict[str, Shape]:
    found = {"run": Shape("run against run", (single,), num_causes=0)}
    for num in (2, 3, 5, 8, 13):
        found[f"same {num}"] = Shape(f"same {num} seeds", (seeds(num),))
        found[f"other {num}"] = Shape(f"{num} against {num} other seeds", (seeds(num),), same=False)
    for one, two in ((2, 5), (3, 10), (4, 7), (5, 12)):
        found[f"other {one}/{two}"] = Shape(f"{one} against {two} other seeds", (seeds(one), seeds(two)), same=False)
    for same, told in ((True, "same"), (False, "other")):
        for one, two in ((2, 5), (3, 3), (5, 2)):
            name = f"{told} {one} subsets x {two} inits, crossed"
            found[f"{told} {one}x{two}"] = Shape(name, (crossed(one, two),), same, num_causes=2)
        name = f"{told} 3 subsets, 2 inits within each"
        found[f"{told} nested"] = Shape(name, (nested(3, 2),), same, num_causes=2)
        name = f"`--by`, 3 settings averaged, {told} 3 seeds"
        found[f"{told} by"] = Shape(name, (averaged(3),), same, OFFSETS, num_causes=2)
    return found


SHAPES = _shapes()
