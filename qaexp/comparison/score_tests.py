"""Tests two groups on every score that both have for the same questions; scores are read as they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qaexp.comparison.entries import measured_of
from qaexp.comparison.family import ScoreTest
from qaexp.comparison.group_tests import (
    RUNS,
    GroupTest,
    PooledSeeds,
    Side,
    compare_sides,
    kind_of,
    untested,
)
from qaexp.comparison.groups import Group
from qaexp.comparison.reasons import why_not_tested
from qaexp.comparison.scores import Measured, ScoreReader
from qaexp.comparison.statistics.difference import Floats
from qaexp.comparison.statistics.paired import mcnemar
from qaexp.runs.metrics import number_of


class ScoreTests:
    """Tests groups score by score; scores are read as needed, and only those of the baseline are kept."""

    def __init__(
        self, reader: ScoreReader, names: Sequence[str], baseline: Group, unit: str, *, any_look: bool = True
    ) -> None:
        """Take the scores to test, the group that most others are compared with, and what a cluster is.

        With `any_look` tests hold however often one looks while seeds are added, else for one planned look.
        """
        self._reader, self._names, self._unit, self._any_look = reader, names, unit, any_look
        self._baseline = baseline
        self._known: dict[str, dict[str, tuple[Floats, Measured]]] = {}

    def of(self, a: Group, b: Group, pooled: PooledSeeds) -> dict[str, ScoreTest]:
        """The test of each score that both groups have for the same questions, by score."""
        one, two = self._scores(a), self._scores(b)
        found = {}
        for name in self._names:
            if name in one and name in two and one[name][1].digest == two[name][1].digest:
                sides = Side(one[name][0], a.design), Side(two[name][0], b.design)
                found[name] = self._test(a, b, name, sides, one[name][1], pooled)
        return found

    def _test(
        self, a: Group, b: Group, name: str, sides: tuple[Side, Side], measured: Measured, pooled: PooledSeeds
    ) -> ScoreTest:
        counts = None
        if reason := why_not_tested(a, b):
            found = GroupTest(kind_of(a.design, b.design), untested(*sides), reason)
        else:
            found = compare_sides(
                *sides, measured.clusters, pooled, score=name, unit=self._unit, any_look=self._any_look
            )
            if found.kind == RUNS and a.n == b.n == 1 and name.endswith("exact") and found.reason is None:
                counts = mcnemar(sides[0].scores[0] == 100, sides[1].scores[0] == 100)
        return ScoreTest(found, counts, len(measured.values), number_of(name))

    def _scores(self, group: Group) -> Mapping[str, tuple[Floats, Measured]]:
        """By score [runs, questions], and which questions; only where all runs have the same ones."""
        if group.name not in self._known:
            kept = {self._baseline.name} & self._known.keys()
            self._known = {name: self._known[name] for name in kept}
            self._known[group.name] = self._read(group)
        return self._known[group.name]

    def _read(self, group: Group) -> dict[str, tuple[Floats, Measured]]:
        found = {}
        for name in self._names:
            if len({name in entry.metrics for entry in group.entries}) > 1:
                # Its mean is over other runs than the test would be.
                continue
            measured = [measured_of(entry, name, self._reader) for entry in group.entries]
            kept = [one for one in measured if one is not None]
            if len(kept) == len(measured) and len({one.digest for one in kept}) == 1:
                found[name] = np.stack([one.values for one in kept]), kept[0]
        return found


def pooled_seeds(groups: Sequence[Group], names: Sequence[str]) -> PooledSeeds:
    """What seeds do in all groups of a table together."""
    # A group that answers nothing scores the same with every seed, which says nothing about seeds.
    return PooledSeeds([(group.design, means(group, names)) for group in groups if not group.is_collapsed])


def means(group: Group, names: Sequence[str]) -> dict[str, Floats]:
    """The mean of each run according to summary.json, for each score that all runs have."""
    found = {}
    for name in names:
        values = [entry.metrics.get(name) for entry in group.entries]
        if None not in values:
            found[name] = np.array(values, dtype=np.float64)
    return found
