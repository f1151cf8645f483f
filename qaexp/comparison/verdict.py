"""What a tested difference means, in words, and what it would take where it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qaexp.comparison.tests import Difference

ALPHA = 0.05
RELEVANT_POINTS = 2.0
"""Differences from here on matter, unless a user says otherwise: a comparison that would have shown one, and did not,
is a finding."""

KINDS = {
    "runs": "two runs: about these two, not about other seeds",
    "same seeds": "paired by seed",
    "other seeds": "seeds differ",
    "one seed": "one side has a single seed: questions only, not about other seeds",
}
WORDS = ("better", "worse", "no difference shown", "cannot tell")


@dataclass(frozen=True, slots=True)
class Tested:
    """The difference b - a of one score.

    Attributes:
        difference: With its interval; its p-value takes clusters of questions, and seeds, into account.
        p: The p-value that is reported: McNemar's for `exact` of two runs, else that of `difference`.
        p_holm: The same, corrected for the number of contrasts.
        p_verdict: That of `difference`, corrected: what the verdict goes by.
        mcnemar: Questions that only a, and only b, has right; None between groups.
        minimum_detectable: Points that would have been found with a probability of 80 %.
        more_seeds: The same with so many more seeds in each group.
    """

    difference: Difference
    p: float
    p_holm: float
    p_verdict: float
    mcnemar: tuple[int, int] | None
    minimum_detectable: float | None
    more_seeds: Mapping[int, float]


def judge(tested: Tested, kind: str, metric: str, relevant: float) -> tuple[str, str]:
    """The verdict about b compared with a, and a sentence with the numbers behind it."""
    found = tested.difference
    numbers = f"{found.difference:+.1f} {metric} [{found.low:+.1f}, {found.high:+.1f}]"
    reach = tested.minimum_detectable
    if kind == "one seed":
        return "cannot tell", f"{numbers} over these questions; one side has a single seed: run more seeds of it"
    p = "p < 0.001" if tested.p_verdict < 0.001 else f"p = {tested.p_verdict:.3f}"
    if tested.p_verdict <= ALPHA and found.difference:
        word = "better" if found.difference > 0 else "worse"
        return word, f"{word}: {numbers}, {p}; {KINDS[kind]}"
    if reach is None:
        return "cannot tell", f"{found.difference:+.1f} {metric}; all questions are of one cluster: no interval"
    if reach <= relevant:
        return "no difference shown", f"{numbers}, {p}; {reach:.1f} points would have been found (80 %)"
    enough = next((number for number, points in tested.more_seeds.items() if points <= relevant), None)
    if enough:
        way = f"with {enough} more seeds each: {tested.more_seeds[enough]:.1f}"
    elif tested.more_seeds:
        way = _hopeless(tested)
    else:
        way = "run several seeds of each, or use more dev questions"
    return "cannot tell", f"{numbers}, {p}; only {reach:.1f} points would have been found (80 %), {way}"


def _hopeless(tested: Tested) -> str:
    """What stands in the way where no number of seeds that anybody runs is enough."""
    number, points = list(tested.more_seeds.items())[-1]
    seeds = sum(value for value, _ in tested.difference.variance.seeds)
    cause = (
        "seeds differ too much" if seeds > tested.difference.variance.clusters[0] else "more dev questions are needed"
    )
    return f"with {number} more seeds each still {points:.1f}: {cause}"
