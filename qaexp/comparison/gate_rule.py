"""When a gate fails, and what a margin says of a difference: its whole interval must lie on one side."""

from __future__ import annotations

from dataclasses import dataclass

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.statistics.difference import LEVEL
from qaexp.comparison.statistics.power import MOST_SEEDS, seeds_to_leave_out
from qaexp.comparison.verdict import Tested
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER, Number
from qaexp.storage.formats import counted

FAIL_IF_WORSE, FAIL_IF_NOT_BETTER = "worse", "not-better"
PASSES, FAILS, UNKNOWN = "passes", "fails", "cannot tell"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a gate fails.

    Attributes:
        fail_if: `worse` or `not-better`.
        margin: By how much, in the unit of the metric's differences; None: the verdict of `compare` decides.
        these_runs: Whether a verdict on one run each counts: it is about these runs, not about other seeds.
    """

    fail_if: str
    margin: float | None = None
    these_runs: bool = False

    def words(self, number: Number) -> str:
        """The rule in words that follow "fails if"."""
        adverb = "worse" if self.fail_if == FAIL_IF_WORSE else "not better"
        return adverb if self.margin is None else f"{adverb} by more than {points_of(self.margin, number)}"


def by_margin(contrast: Contrast, rule: Rule, margin: float) -> tuple[str, str]:
    """Hold the interval of the difference against the margin: it must lie on one side of it as a whole."""
    tested, number = contrast.tests[contrast.metric], number_of(contrast.metric)
    bound = -margin if rule.fail_if == FAIL_IF_WORSE else margin
    line = f"{-bound if number.better == LOWER else bound:+g}"
    if tested.low is None or tested.high is None or tested.p_verdict is None:
        return UNKNOWN, f"nothing is tested, so nothing is held against {line}: {contrast.sentence}"
    low, high = (-tested.high, -tested.low) if number.better == LOWER else (tested.low, tested.high)
    shown = f"[{number.signed(tested.low)}, {number.signed(tested.high)}]"
    side = "worse" if rule.fail_if == FAIL_IF_WORSE else "better"
    what = f"by more than {points_of(margin, number)}"
    if low > bound:
        told = f"not {side} {what}" if side == "worse" else f"{side} {what}"
        return PASSES, f"shown to be {told}: the whole interval {shown} is on the good side of {line}"
    if high < bound:
        told = f"{side} {what}" if side == "worse" else f"not {side} {what}"
        return FAILS, f"shown to be {told}: the whole interval {shown} is on the bad side of {line}"
    value = -bound if number.better == LOWER else bound
    return UNKNOWN, f"the interval {shown} holds {line}; {_what_would_tell(tested, value, line)}"


def points_of(margin: float, number: Number) -> str:
    """A margin as it was typed, with its unit.

    >>> points_of(1, number_of("f1")), points_of(0.5, number_of("f1")), points_of(0.1, number_of("gold_nll"))
    ('1 point', '0.5 points', '0.1 nats')
    """
    return f"{margin:g} {'point' if margin == 1 and number.step == 'points' else number.step}".rstrip()


def _what_would_tell(tested: Tested, value: float, line: str) -> str:
    """How many seeds would leave the margin out of the interval, if the difference stays what it is."""
    if not tested.more_seeds:
        return "several seeds of each, or more dev questions, make it narrower"
    enough = seeds_to_leave_out(tested.difference, value, level=tested.level or LEVEL)
    if enough is None:
        return (
            f"the difference is too close to {line} for any number of seeds up to {MOST_SEEDS}: it takes another "
            "margin, or more dev questions"
        )
    planned = ", a number fixed before the next look," if tested.difference.looks is None else ""
    return f"{counted(enough, 'more seed')} of each{planned} would leave it out, if the difference stays what it is"
