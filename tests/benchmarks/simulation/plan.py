"""Which cells there are, the most important ones first."""

from __future__ import annotations

from tests.benchmarks.simulation.cells import Cell
from tests.benchmarks.simulation.shapes import SHAPES
from tests.benchmarks.simulation.worlds import WORLDS

PAIRS = tuple(name for name in SHAPES if name.split()[-1] not in ("8", "13", "4/7", "5/12"))
"""Shapes whose errors are measured; the others only tell what more seeds reach."""

FEW = (2, 3, 4, 5, 6, 8, 12)
FEW_SHAPES = ("run", "same 3", "other 3", "same 5")
FULL_SHAPES = ("run", "same 3", "same 5", "other 3")
FAMILY_SHAPES = ("run", "same 3", "same 5", "other 3", "other 2/5", "same 2x5", "same nested", "same by")
SEEDS_SHAPES = ("same 2", "same 3", "other 3", "other 2/5")
MORE = {
    "same 3": {5: "same 8", 10: "same 13"},
    "other 3": {5: "other 8", 10: "other 13"},
    "other 2/5": {2: "other 4/7"},
}
"""A shape, so many more seeds, and the shape that is reached."""
MORE |= {"same 5": {}, "other 3/10": {2: "other 5/12"}}


def plan() -> list[Cell]:
    """All cells."""
    return [*_pairs(), *_few(), *_families(), *_more(), *_looks()]


def _pairs() -> list[Cell]:
    times = {"plain": 2000, "paragraphs": 1000, "seeds": 2000}
    pairs = [(shape, world) for world in WORLDS for shape in PAIRS if (shape, world) != ("run", "seeds")]
    found = [Cell("pair", shape, world, repetitions=times[world]) for shape, world in pairs]
    found += [Cell("pair", shape, score="exact", repetitions=1000) for shape in ("run", "same 3", "other 3")]
    return found + [
        Cell("pair", shape, world, "full dev", repetitions=400)
        for world in ("plain", "paragraphs")
        for shape in FULL_SHAPES
    ]


def _few() -> list[Cell]:
    """Of two and three clusters nothing is said, however often."""
    return [
        Cell("pair", shape, world, str(num), repetitions=100 if num < 4 else 1000)
        for num in FEW
        for world in ("plain", "paragraphs")
        for shape in FEW_SHAPES
    ]


def _families() -> list[Cell]:
    found = []
    for world, shapes in (("plain", FAMILY_SHAPES), ("seeds", SEEDS_SHAPES)):
        for shape in shapes:
            is_slow = shape == "run"
            found.append(Cell("family", shape, world, groups=5, repetitions=200 if is_slow else 1000))
            if shape in ("run", "same 3", "other 3"):
                found.append(Cell("family", shape, world, groups=10, repetitions=60 if is_slow else 500))
    return found


def _more() -> list[Cell]:
    shapes = dict.fromkeys([*MORE, *(name for reached in MORE.values() for name in reached.values())])
    return [Cell("reach", shape, repetitions=1000) for shape in shapes]


def _looks() -> list[Cell]:
    return [Cell("looks", shape) for shape in ("same 13", "other 13")]
