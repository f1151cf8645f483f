"""Every pair of groups that is compared: tests, the correction for their number, and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaexp.comparison.difference import Difference, Floats
from qaexp.comparison.entries import measured_of
from qaexp.comparison.family import Family, Outcome
from qaexp.comparison.groups import Group
from qaexp.comparison.guard import changed_keys, factors
from qaexp.comparison.machines import Machines
from qaexp.comparison.observations import Design
from qaexp.comparison.scores import SCORE_COLUMNS, Measured, ScoreReader
from qaexp.comparison.sides import ONE_SEED, RUNS, SAME_SEEDS, Found, PooledSeeds, Side, compared, kind_of, unknown
from qaexp.comparison.tests import mcnemar
from qaexp.comparison.verdict import RELEVANT_POINTS, Circumstances, Tested, judge
from qaexp.runs.metrics import number_of

MAX_PAIRS_OF = 10
"""Above so many groups each is compared with the baseline only."""

Looks = Callable[[Group, Group], Sequence[tuple[int, int]]]
"""How many seeds two groups had whenever they were compared before."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two groups, b against a.

    Attributes:
        a: The name of one group.
        b: That of the other.
        changed: Key to its two values.
        factors: The causes behind them; one of them makes a single-factor contrast.
        machines: What else can have made a difference: versions, device, code.
        kind: `runs`, `same seeds`, `other seeds` or `one seed`.
        how: What the test takes as observations, in words.
        tests: Score to `Tested`.
        metric: The score that the verdict is about.
        verdict: One of `verdict.WORDS`: what b is, compared with a.
        sentence: The verdict with its numbers, and what it would take where it cannot tell.
        num_contrasts: How many contrasts the correction is for.
        looks: How many seeds the two groups had whenever they were compared before.
    """

    a: str
    b: str
    changed: Mapping[str, tuple[Any, Any]]
    factors: Sequence[str]
    machines: Sequence[str]
    kind: str
    how: str
    tests: Mapping[str, Tested]
    metric: str
    verdict: str
    sentence: str
    num_contrasts: int
    looks: Sequence[tuple[int, int]] = ()

    @property
    def single_factor(self) -> bool:
        """One cause only can explain the difference."""
        return len(self.factors) == 1 and not self.machines


def contrasts(
    groups: Sequence[Group],
    reader: ScoreReader,
    baseline: Group,
    metric: str,
    *,
    relevant: float = RELEVANT_POINTS,
    unit: str = "paragraphs",
    machines: Machines | None = None,
    looks: Looks | None = None,
) -> list[Contrast]:
    """Compare every pair of up to ten groups, and of more each with the baseline.

    Args:
        groups: Measured alike, ranked.
        reader: Reads their scores.
        baseline: One of them.
        metric: What they are ranked by; the verdict is about it where it is a score of each question, else about f1.
        relevant: Points from which on a difference matters.
        unit: What a cluster of questions is, in the plural.
        machines: Reads what runs were computed with.
        looks: Tells earlier comparisons.
    """
    names = tuple(dict.fromkeys((*SCORE_COLUMNS, *([metric] if number_of(metric).column else ()))))
    scored = _Scored(reader, names, baseline, unit)
    pooled = _pooled(groups, names)
    pairs = _pairs(groups, baseline)
    outcomes = [scored.outcomes(a, b, pooled) for a, b in pairs]
    tested = Family(outcomes).corrected()
    about = metric if tested and all(metric in one for one in tested) else "f1"
    num_contrasts = sum(one[about].is_tested for one in outcomes)
    return [
        _judged(
            (a, b),
            of_pair[about],
            tests,
            Circumstances(
                metric=about,
                relevant=relevant,
                how=how(of_pair[about].kind, a.design, b.design),
                obstacle=_obstacle(of_pair[about]),
                collapse=_collapse(a, b),
                looks=looks(a, b) if looks else (),
                **_way_out(a.design, b.design),
            ),
            num_contrasts,
            machines.causes(a.entries, b.entries) if machines else (),
        )
        for (a, b), of_pair, tests in zip(pairs, outcomes, tested, strict=True)
    ]


def _judged(
    pair: tuple[Group, Group],
    outcome: Outcome,
    tests: Mapping[str, Tested],
    case: Circumstances,
    num_contrasts: int,
    machines: Sequence[str],
) -> Contrast:
    a, b = pair
    verdict, sentence = judge(tests[case.metric], case)
    changed = changed_keys(a.settings, b.settings)
    return Contrast(
        a=a.name,
        b=b.name,
        changed=changed,
        factors=_causes(changed, a, b),
        machines=machines,
        kind=outcome.kind,
        how=case.how,
        tests=tests,
        metric=case.metric,
        verdict=verdict,
        sentence=sentence,
        num_contrasts=num_contrasts,
        looks=case.looks,
    )


def _causes(changed: Mapping[str, tuple[Any, Any]], a: Group, b: Group) -> list[str]:
    """What may explain a difference; settings that are mixed unlike in two groups are causes too."""
    mixed = a.averaged != b.averaged or a.design.weights is not None or b.design.weights is not None
    keys = (*a.design.setting_keys, *b.design.setting_keys) if mixed else ()
    return list(dict.fromkeys([*factors(changed, a.settings, b.settings), *keys]))


def how(kind: str, a: Design, b: Design) -> str:
    """What a test takes as observations, in words.

    >>> from qaexp.comparison.observations import design
    >>> three = design([(0,) * 4, (1,) * 4, (2,) * 4])
    >>> how("same seeds", three, three)
    'paired by seed'
    """
    settings = f"; each the mean of {a.num_settings} other settings" if a.num_settings > 1 else ""
    if kind == RUNS and settings:
        return f"one seed each: about these seeds, not about other ones{settings}"
    if kind == RUNS:
        return "two runs: about these two, not about other seeds"
    if kind == ONE_SEED:
        return f"one side has a single seed: questions only, not about other seeds{settings}"
    fixed = [name for name in a.fixed if name in b.fixed]
    told = f"; nothing about other values of {', '.join(fixed)}" if fixed else ""
    if kind == SAME_SEEDS:
        return f"paired by {a.words if a.is_crossed else ' and '.join(a.kinds)}{settings}{told}"
    crossed = f" ({a.words} against {b.words})" if a.is_crossed or b.is_crossed else ""
    return f"seeds differ{crossed}{settings}{told}"


def _way_out(a: Design, b: Design) -> dict[str, str]:
    """What would help where kinds of seeds were swept apart: values of the kind that has the fewest."""
    crossed = min((one for one in (a, b) if one.is_crossed), key=lambda one: one.n, default=None)
    if crossed is None:
        return {}
    kind = crossed.kinds[crossed.levels.index(crossed.n)]
    return {"way_out": f"each kind of seed counts by its values, and there are {crossed.n} of {kind}"}


class _Scored:
    """The scores of groups, read when they are needed; only those of the baseline stay."""

    def __init__(self, reader: ScoreReader, names: Sequence[str], baseline: Group, unit: str) -> None:
        self._reader, self._names, self._unit = reader, names, unit
        self._baseline = baseline
        self._known: dict[str, dict[str, tuple[Floats, Measured]]] = {}

    def outcomes(self, a: Group, b: Group, pooled: PooledSeeds) -> dict[str, Outcome]:
        """By score what its test gives; scores that both groups have for the same questions."""
        one, two = self._of(a), self._of(b)
        found = {}
        for name in self._names:
            if name in one and name in two and one[name][1].digest == two[name][1].digest:
                sides = Side(one[name][0], a.design), Side(two[name][0], b.design)
                found[name] = self._outcome(a, b, name, sides, one[name][1], pooled)
        return found

    def _outcome(
        self, a: Group, b: Group, name: str, sides: tuple[Side, Side], measured: Measured, pooled: PooledSeeds
    ) -> Outcome:
        counts = None
        if reason := _no_test(a, b):
            found = Found(kind_of(a.design, b.design), _unknown(*sides), reason)
        else:
            found = compared(*sides, measured.clusters, pooled, score=name, unit=self._unit)
            if found.kind == RUNS and a.n == b.n == 1 and name.endswith("exact") and found.reason is None:
                counts = mcnemar(sides[0].scores[0] == 100, sides[1].scores[0] == 100)
        seeds = (a.design.n,) if found.kind == SAME_SEEDS else (a.design.n, b.design.n)
        return Outcome(found, counts, seeds, len(measured.values), number_of(name))

    def _of(self, group: Group) -> Mapping[str, tuple[Floats, Measured]]:
        """By score [runs, questions], and which questions; only where all runs have the same ones."""
        if group.name not in self._known:
            kept = {self._baseline.name} & self._known.keys()
            self._known = {name: self._known[name] for name in kept}
            self._known[group.name] = self._read(group)
        return self._known[group.name]

    def _read(self, group: Group) -> dict[str, tuple[Floats, Measured]]:
        found = {}
        for name in self._names:
            measured = [measured_of(entry, name, self._reader) for entry in group.entries]
            kept = [one for one in measured if one is not None]
            if len(kept) == len(measured) and len({one.digest for one in kept}) == 1:
                found[name] = np.stack([one.values for one in kept]), kept[0]
        return found


def _pooled(groups: Sequence[Group], names: Sequence[str]) -> PooledSeeds:
    # A group that answers nothing scores the same with every seed: that is nothing about what seeds do.
    return PooledSeeds([(group.design, _means(group, names)) for group in groups if not group.is_collapsed])


def _means(group: Group, names: Sequence[str]) -> dict[str, Floats]:
    """The mean of each run by score, as summary.json says it, where all have it."""
    found = {}
    for name in names:
        values = [entry.metrics.get(name) for entry in group.entries]
        if None not in values:
            found[name] = np.array(values, dtype=np.float64)
    return found


def _pairs(groups: Sequence[Group], baseline: Group) -> list[tuple[Group, Group]]:
    others = [group for group in groups if group is not baseline]
    pairs = [(baseline, other) for other in others]
    if len(groups) > MAX_PAIRS_OF:
        # A group that answers nothing is not compared, and counts for nobody.
        others = [group for group in others if not group.is_collapsed]
    if len(others) < MAX_PAIRS_OF:
        # The lower one of each pair first: "b against a" asks whether the higher one is really better.
        pairs += [(low, high) for place, high in enumerate(others) for low in others[place + 1 :]]
    return pairs


def _no_test(a: Group, b: Group) -> str | None:
    """Why two groups are not tested, whatever their scores."""
    if collapse := _collapse(a, b):
        return collapse
    if a.averaged == b.averaged:
        return None
    changed = [key for key in changed_keys(a.settings, b.settings) if key not in a.changes]
    told = f" ({', '.join(changed)})" if changed else ""
    return f"the other settings are not the same{told}, so neither is what is averaged"


def _collapse(a: Group, b: Group) -> str | None:
    for group in (a, b):
        if group.silence:
            return f"{group.name}: {group.silence}"
    return None


def _unknown(a: Side, b: Side) -> Difference:
    return unknown(b.design.mean(b.scores) - a.design.mean(a.scores))


def _obstacle(outcome: Outcome) -> str | None:
    reason = outcome.found.reason
    if outcome.found.kind == ONE_SEED and reason and reason.startswith("one side"):
        return "over these questions; one side has a single seed: run more seeds of it"
    return reason
