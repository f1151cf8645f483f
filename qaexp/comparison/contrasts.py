"""Every pair of groups that is compared: tests, the correction for their number, and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qaexp.comparison.family import Family, ScoreTest
from qaexp.comparison.group_tests import RUNS
from qaexp.comparison.groups import OWN, PROGRAM, Group
from qaexp.comparison.guard import changed_keys
from qaexp.comparison.machines import Machines
from qaexp.comparison.reasons import causes, how, obstacle, silence, way_out
from qaexp.comparison.score_tests import ScoreTests, pooled_seeds
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.verdict import Circumstances, Tested, judge
from qaexp.runs.metrics import SCORE_COLUMNS, number_of

# With more groups than this, each is compared with the baseline only.
MAX_PAIRS_OF = 10

# How many seeds two groups had whenever they were compared before.
Looks = Callable[[Group, Group], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two groups, b against a.

    Attributes:
        a: The name of one group.
        b: That of the other.
        changed: Key to its two values.
        factors: The causes behind them; one of them makes a single-factor contrast.
        machines: What else may have made a difference: versions, device, code.
        kind: `runs`, `same seeds`, `other seeds` or `one seed`.
        how: What the test takes as observations, in words.
        tests: Score to `Tested`.
        metric: The score that the verdict is about.
        verdict: One of `verdict.WORDS`: what b is, compared with a.
        sentence: The verdict with its numbers, and what would help if it cannot tell.
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
        """Whether only one cause can explain the difference."""
        return len(self.factors) == 1 and not self.machines


def contrasts(
    groups: Sequence[Group],
    reader: ScoreReader,
    baseline: Group,
    metric: str,
    *,
    relevant: float | None = None,
    unit: str = "paragraphs",
    machines: Machines | None = None,
    looks: Looks | None = None,
    are_seeds: bool = False,
    any_look: bool = True,
) -> list[Contrast]:
    """Compare every pair of up to ten groups that have the metric, and of more each with the baseline.

    Args:
        groups: Measured alike, ranked.
        reader: Reads their scores.
        baseline: One of them.
        metric: What they are ranked by; the verdict is about it where it is a score of each question, else about f1.
        relevant: The smallest difference that matters; None: that of the score that verdicts are about.
        unit: What a cluster of questions is, in the plural.
        machines: Reads what runs were computed with.
        looks: Looks up earlier comparisons.
        are_seeds: The groups are seeds of the same settings.
        any_look: Whether verdicts hold however often one looks while seeds are added; else for one planned look.
    """
    names = tuple(dict.fromkeys((*SCORE_COLUMNS, *([metric] if number_of(metric).column else ()))))
    score_tests = ScoreTests(reader, names, baseline, unit, any_look=any_look)
    pooled = pooled_seeds(groups, names)
    pairs = _pairs(_with_metric(groups, baseline, metric), baseline)
    found = [score_tests.of(a, b, pooled) for a, b in pairs]
    about = metric if found and all(metric in one for one in found) else "f1"
    relevant = number_of(about).relevant if relevant is None else relevant
    tested = Family(found, {about: relevant}).corrected()
    num_contrasts = sum(one[about].is_tested for one in found)
    return [
        _judged(
            (a, b),
            of_pair[about],
            tests,
            _case(a, b, of_pair[about], about, relevant, looks, are_seeds=are_seeds, any_look=any_look),
            num_contrasts,
            machines,
        )
        for (a, b), of_pair, tests in zip(pairs, found, tested, strict=True)
    ]


def _case(
    a: Group,
    b: Group,
    test: ScoreTest,
    metric: str,
    relevant: float,
    looks: Looks | None,
    *,
    are_seeds: bool,
    any_look: bool,
) -> Circumstances:
    return Circumstances(
        metric=metric,
        relevant=relevant,
        how=how(test.kind, a.design, b.design),
        obstacle=obstacle(test.found.reason, is_of_runs=a.program is None and b.program is None),
        collapse=silence(a, b),
        looks=looks(a, b) if looks else (),
        are_seeds=are_seeds,
        are_runs=test.kind == RUNS,
        any_look=any_look,
        **way_out(a.design, b.design, are_seeds=are_seeds),
    )


def _judged(
    pair: tuple[Group, Group],
    test: ScoreTest,
    tests: Mapping[str, Tested],
    case: Circumstances,
    num_contrasts: int,
    machines: Machines | None,
) -> Contrast:
    a, b = pair
    if case.are_seeds:
        # Between seeds nothing is better, however probable a difference is.
        tests = {name: replace(found, chances=None) for name, found in tests.items()}
    verdict, sentence = judge(tests[case.metric], case)
    changed, factors = _changed(a, b)
    machines = None if PROGRAM in changed else machines
    return Contrast(
        a=a.name,
        b=b.name,
        changed=changed,
        factors=machines.without_idle(a.entries, b.entries, factors) if machines else factors,
        machines=machines.causes(a.entries, b.entries, changed) if machines else (),
        kind=test.kind,
        how=case.how,
        tests=tests,
        metric=case.metric,
        verdict=verdict,
        sentence=sentence,
        num_contrasts=num_contrasts,
        looks=case.looks,
    )


def _changed(a: Group, b: Group) -> tuple[Mapping[str, tuple[Any, Any]], Sequence[str]]:
    """The settings in which two groups differ, and the causes; of other programs' results no setting is known."""
    if a.program or b.program:
        return {PROGRAM: (a.program or OWN, b.program or OWN)}, []
    changed = changed_keys(a.settings, b.settings)
    return changed, causes(changed, a, b)


def _with_metric(groups: Sequence[Group], baseline: Group, metric: str) -> Sequence[Group]:
    """The groups that have the metric: a verdict about any other would have no number in the table."""
    return [group for group in groups if metric in group.metrics] if metric in baseline.metrics else groups


def _pairs(groups: Sequence[Group], baseline: Group) -> list[tuple[Group, Group]]:
    others = [group for group in groups if group is not baseline]
    pairs = [(baseline, other) for other in others]
    if len(groups) > MAX_PAIRS_OF:
        # A group that answers nothing is not compared, and does not count towards the number.
        others = [group for group in others if not group.is_collapsed]
    if len(others) < MAX_PAIRS_OF:
        # The lower one of each pair first: "b against a" asks whether the higher one is really better.
        pairs += [(low, high) for place, high in enumerate(others) for low in others[place + 1 :]]
    return pairs
