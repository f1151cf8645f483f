"""What is measured: one cell for each shape of comparison, world, clusters of questions and number of groups."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from qaexp.comparison import family
from qaexp.comparison.group_tests import Side
from qaexp.comparison.statistics.power import MORE_SEEDS, power
from qaexp.comparison.verdict import ALPHA
from tests.benchmarks.simulation.shapes import SHAPES, seeds
from tests.benchmarks.simulation.trials import Experiment, Said, draw, own_estimate, said
from tests.benchmarks.simulation.worlds import WORLDS, clusters_of

POINTS = (2, 4)
LOOKS = (3, 4, 5, 6, 8, 10, 13)
"""Seeds at each look of somebody who adds seeds until something shows."""

Values = dict[str, list[float]]


@dataclass(frozen=True)
class Cell:
    """What is simulated, and how often.

    Attributes:
        kind: `pair`, `family`, `reach` (only what can be detected) or `looks`.
        shape: A key of `SHAPES`.
        world: A key of `WORLDS`.
        clusters: As `clusters_of` takes it.
        score: `f1` or `exact`.
        groups: How many are compared.
        repetitions: How many experiments.
    """

    kind: str
    shape: str
    world: str = "plain"
    clusters: str = "sample"
    score: str = "f1"
    groups: int = 2
    repetitions: int = 2000

    @property
    def key(self) -> str:
        return "; ".join((self.kind, self.shape, self.world, self.clusters, self.score, f"{self.groups} groups"))


def simulate(cell: Cell) -> dict[str, Any]:
    """The mean of everything that was measured, `reach` and what more seeds would reach as medians.

    A rate is over the experiments in which the quantity exists.
    """
    found: dict[str, list[float]] = defaultdict(list)
    generator = np.random.default_rng([zlib.crc32(cell.key.encode()), cell.repetitions])
    measure = _MEASURES[cell.kind]
    # What more seeds would reach takes a third of the time, and is only looked at in cells of its own.
    with mock.patch.object(family, "MORE_SEEDS", MORE_SEEDS if cell.kind == "reach" else ()):
        for _ in range(cell.repetitions):
            for name, value in measure(cell, _experiment(cell, generator)):
                found[name].append(float(value))
    return {"repetitions": cell.repetitions} | {name: _summary(name, values) for name, values in sorted(found.items())}


def _summary(name: str, values: list[float]) -> float:
    return round(float(np.median(values) if name.startswith("reach") else np.mean(values)), 4)


def _experiment(cell: Cell, generator: np.random.Generator) -> Experiment:
    shape, world = SHAPES[cell.shape], WORLDS[cell.world]
    return draw(world, shape, clusters_of(cell.clusters), cell.score, cell.groups, generator)


Measured = Iterator[tuple[str, float]]


def _pair(cell: Cell, made: Experiment) -> Measured:
    null = [made.side(group, 0) for group in range(2)]
    one = said(null, made.clusters, cell.score)[0, 1]
    yield "rejected", one.is_found
    yield "stated", one.tested.low is not None
    yield "covered at 0", one.covers(0)
    if one.tested.mcnemar is not None:
        yield "mcnemar", (one.tested.p or 0) <= ALPHA
    yield from _own(cell, made, null)
    yield from _reach(cell, made, null, one)
    for points in POINTS:
        moved = said([null[0], made.side(1, points)], made.clusters, cell.score)[0, 1]
        yield f"found {points}", moved.is_found
        yield f"covered at {points}", moved.covers(points)
        foretold = power(moved.difference, points)
        if foretold is not None:
            yield f"foretold {points}", foretold


def _own(cell: Cell, made: Experiment, sides: list[Side]) -> Measured:
    for group, side in enumerate(sides):
        own = own_estimate(side, made.clusters, cell.score)
        if own.over and own.low is not None and own.high is not None:
            yield f"own over {own.over}", own.low <= made.truth(group, 0, own.over) <= own.high


def _reach(cell: Cell, made: Experiment, null: list[Side], first: Said) -> Measured:
    """The detectable difference of the first pair, and whether it is found where it is the truth."""
    tested = first.tested
    if tested.minimum_detectable is None:
        return
    yield "reach", tested.minimum_detectable
    for number, points in tested.more_seeds.items():
        yield f"reach {number} more", points
    if cell.kind != "reach":
        better = replace(null[1], scores=null[1].scores + tested.minimum_detectable)
        again = said([null[0], better, *null[2:]], made.clusters, cell.score)
        yield "found at reach", again[0, 1].is_found


def _only_reach(cell: Cell, made: Experiment) -> Measured:
    null = [made.side(group, 0) for group in range(cell.groups)]
    yield from _reach(cell, made, null, said(null, made.clusters, cell.score)[0, 1])


def _family(cell: Cell, made: Experiment) -> Measured:
    null = [made.side(group, 0) for group in range(cell.groups)]
    found = said(null, made.clusters, cell.score)
    yield "rejected", any(one.is_found for one in found.values())
    for one in found.values():
        yield "covered at 0", one.covers(0)
    yield from _reach(cell, made, null, found[0, 1])
    # The other half of the groups is really better: of the pairs of equals none may be called different.
    truth = [0 if group < cell.groups // 2 else 4 for group in range(cell.groups)]
    mixed = said([made.side(group, truth[group]) for group in range(cell.groups)], made.clusters, cell.score)
    yield "rejected of equals", any(one.is_found for (a, b), one in mixed.items() if truth[a] == truth[b])
    for (a, b), one in mixed.items():
        yield f"covered at {truth[b] - truth[a]}", one.covers(truth[b] - truth[a])
        if truth[a] != truth[b]:
            yield "found 4", one.is_found


def _looks(cell: Cell, made: Experiment) -> Measured:
    """Whether somebody who adds seeds until something shows gets a verdict about equals."""
    whole = [made.side(group, 0) for group in range(2)]
    starts = [0, 0 if SHAPES[cell.shape].same else 1000]
    any_verdict = False
    for number, count in enumerate(LOOKS, start=1):
        parts = [
            Side(side.scores[:count], seeds(count)(start).design) for side, start in zip(whole, starts, strict=True)
        ]
        any_verdict = any_verdict or said(parts, made.clusters, cell.score)[0, 1].is_found
        yield f"rejected by look {number}", any_verdict


_MEASURES: dict[str, Callable[[Cell, Experiment], Measured]] = {
    "pair": _pair,
    "reach": _only_reach,
    "family": _family,
    "looks": _looks,
}
