"""Every pair of groups that is compared: tests, and the correction for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.groups import Group
from qaexp.comparison.guard import changed_keys, factors
from qaexp.comparison.power import MORE_SEEDS, minimum_detectable, with_more_seeds
from qaexp.comparison.scores import SCORE_COLUMNS, ScoreReader
from qaexp.comparison.tests import (
    Difference,
    Part,
    cluster_bootstrap,
    cluster_t,
    holm,
    mcnemar,
    paired_groups,
    pooled_paired,
    pooled_separate,
    separate_groups,
)
from qaexp.comparison.verdict import RELEVANT_POINTS, Tested, judge

Floats = npt.NDArray[np.float64]

MAX_PAIRS_OF = 10
"""Above so many groups each is compared with the baseline only."""

SEED = 20_260_501
"""Of the bootstrap's generator: the same inputs give the same numbers."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two groups, b against a.

    Attributes:
        a: The name of one group.
        b: That of the other.
        changed: Key to its two values.
        factors: The causes behind them; one of them makes a single-factor contrast.
        kind: A key of `verdict.KINDS`.
        tests: Score to `Tested`.
        metric: The score that the verdict is about.
        verdict: One of `verdict.WORDS`: what b is, compared with a.
        sentence: The verdict with its numbers, and what it would take where it cannot tell.
    """

    a: str
    b: str
    changed: Mapping[str, tuple[Any, Any]]
    factors: Sequence[str]
    kind: str
    tests: Mapping[str, Tested]
    metric: str
    verdict: str
    sentence: str

    @property
    def single_factor(self) -> bool:
        """One cause only can explain the difference."""
        return len(self.factors) == 1


def contrasts(
    groups: Sequence[Group],
    reader: ScoreReader,
    baseline: Group,
    metric: str,
    *,
    relevant: float = RELEVANT_POINTS,
) -> list[Contrast]:
    """Compare every pair of up to ten groups, and of more each with the baseline.

    Args:
        groups: Measured alike, ranked.
        reader: Reads their scores.
        baseline: One of them.
        metric: What they are ranked by; the verdict is about it where it is a score of each question, else about f1.
        relevant: Points from which on a difference matters.
    """
    measured = {group.name: _Side(group) for group in groups}
    pairs = _pairs(groups, baseline)
    pooled = _Pooled(list(measured.values()))
    found = [(a, b, *_differences(measured[a.name], measured[b.name], reader, pooled)) for a, b in pairs]
    names = [name for name in SCORE_COLUMNS if found and all(name in row[3] for row in found)]
    corrected: dict[str, list[tuple[float, float]]] = {}
    for name in names:
        reported = [row[3][name][1] for row in found]
        corrected[name] = list(zip(holm(reported), holm([row[3][name][0].p for row in found]), strict=True))
    about = metric if metric in names else "f1"
    return [
        _contrast(a, b, kind, {name: (*tests[name], *corrected[name][place]) for name in names}, about, relevant)
        for place, (a, b, kind, tests) in enumerate(found)
    ]


class _Side:
    """A group whose scores are read when they are needed; only those of the baseline stay."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.seeds = group.seeds
        self._scores: dict[str, Floats] | None = None

    @property
    def n(self) -> int:
        return self.group.n

    def scores(self, reader: ScoreReader) -> dict[str, Floats]:
        """Scores by name [runs, questions], the runs by their seeds."""
        if self._scores is None:
            read = [reader.read(entry.run).values for entry in self.group.entries]
            names = [name for name in SCORE_COLUMNS if all(name in values for values in read)]
            self._scores = {name: np.stack([values[name] for values in read]) for name in names}
        return self._scores

    def forget(self) -> None:
        self._scores = None

    def means(self, name: str) -> Floats | None:
        """The mean of each run, as summary.json says it."""
        values = [entry.metrics.get(name) for entry in self.group.entries]
        return None if None in values else np.array(values, dtype=np.float64)


class _Pooled:
    """What seeds do, from all groups together; only of three and more groups, else it is the pair's own."""

    def __init__(self, sides: Sequence[_Side]) -> None:
        self._sides = [side for side in sides if side.n > 1]
        self._known: dict[tuple[str, Any], Part | None] = {}

    def of(self, name: str, seeds: Any) -> Part | None:
        """For groups with these seeds, or, with None, for groups whose seeds differ."""
        if (name, seeds) not in self._known:
            sides = [side for side in self._sides if seeds is None or side.seeds == seeds]
            means = [found for side in sides if (found := side.means(name)) is not None]
            enough = len(means) >= 3
            self._known[name, seeds] = (
                None if not enough else pooled_separate(means) if seeds is None else pooled_paired(np.stack(means))
            )
        return self._known[name, seeds]


def _pairs(groups: Sequence[Group], baseline: Group) -> list[tuple[Group, Group]]:
    others = [group for group in groups if group is not baseline]
    pairs = [(baseline, other) for other in others]
    if len(groups) <= MAX_PAIRS_OF:
        # The lower one of each pair first: "b against a" asks whether the higher one is really better.
        pairs += [(low, high) for place, high in enumerate(others) for low in others[place + 1 :]]
    return pairs


def _differences(
    a: _Side, b: _Side, reader: ScoreReader, pooled: _Pooled
) -> tuple[str, dict[str, tuple[Difference, float, tuple[int, int] | None]]]:
    """The kind of a pair, and by score its difference, the p-value to report, and McNemar's counts."""
    clusters = reader.read(a.group.entries[0].run).questions.clusters
    one, two = a.scores(reader), b.scores(reader)
    kind = _kind(a, b)
    found: dict[str, tuple[Difference, float, tuple[int, int] | None]] = {}
    for name in (name for name in one if name in two):
        counts, p = None, None
        if kind == "runs":
            generator = np.random.default_rng(SEED)
            difference = cluster_bootstrap(two[name][0] - one[name][0], clusters, generator)
            if name.endswith("exact"):
                *counts, p = mcnemar(one[name][0] == 100, two[name][0] == 100)
        elif kind == "same seeds":
            difference = paired_groups(one[name], two[name], clusters, pooled=pooled.of(name, a.seeds))
        elif kind == "other seeds":
            difference = separate_groups(one[name], two[name], clusters, pooled=pooled.of(name, None))
        else:
            difference = cluster_t(two[name].mean(axis=0) - one[name].mean(axis=0), clusters)
        found[name] = difference, difference.p if p is None else p, (counts[0], counts[1]) if counts else None
    b.forget()
    return kind, found


def _kind(a: _Side, b: _Side) -> str:
    if a.n == 1 and b.n == 1:
        return "runs"
    if 1 in (a.n, b.n):
        return "one seed"
    return "same seeds" if a.seeds == b.seeds and len(set(a.seeds)) == a.n else "other seeds"


def _contrast(
    a: Group, b: Group, kind: str, tests: Mapping[str, tuple[Any, ...]], metric: str, relevant: float
) -> Contrast:
    changed = changed_keys(a.settings, b.settings)
    found = {name: _tested(*parts, num_seeds=min(a.n, b.n)) for name, parts in tests.items()}
    verdict, sentence = judge(found[metric], kind, metric, relevant)
    return Contrast(
        a=a.name,
        b=b.name,
        changed=changed,
        factors=factors(changed, a.settings, b.settings),
        kind=kind,
        tests=found,
        metric=metric,
        verdict=verdict,
        sentence=sentence,
    )


def _tested(
    difference: Difference,
    p: float,
    counts: tuple[int, int] | None,
    p_holm: float,
    p_verdict: float,
    *,
    num_seeds: int,
) -> Tested:
    more = {number: with_more_seeds(difference, num_seeds, number) for number in MORE_SEEDS}
    return Tested(
        difference=difference,
        p=p,
        p_holm=p_holm,
        p_verdict=p_verdict,
        mcnemar=counts,
        minimum_detectable=minimum_detectable(difference),
        more_seeds={number: points for number, points in more.items() if points is not None},
    )
