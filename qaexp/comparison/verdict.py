"""The verdict on a tested difference (better, worse, equivalent, cannot tell) and the sentence behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qaexp.comparison.statistics.chances import Chances
from qaexp.comparison.statistics.difference import Difference
from qaexp.comparison.statistics.power import MOST_SEEDS, MOST_TIMES
from qaexp.runs.metrics import number_of
from qaexp.runs.number import Number

ALPHA = 0.05
BETTER, WORSE, EQUIVALENT, CANNOT_TELL = "better", "worse", "equivalent", "cannot tell"
COLLAPSED = "collapsed"
NOTHING_TO_TEST = "nothing to test"
# Differences between seeds of the same settings are chance: no seed is better than another.
SEEDS_DIFFER = "seeds differ"

WORDS = (BETTER, WORSE, EQUIVALENT, CANNOT_TELL, COLLAPSED, SEEDS_DIFFER)


@dataclass(frozen=True, slots=True)
class Tested:
    """The difference b - a of one score.

    Attributes:
        difference: The test's result, before any correction for the number of contrasts.
        low: Lower end of an interval that leaves out 0 exactly where `p_verdict` is at most 0.05; it covers the truth
            in at least 95 % of all cases. None where nothing may be said.
        high: Upper end.
        level: Of this interval: 0.95 for a single contrast, more where several were corrected for.
        p: The p-value that is reported: McNemar's for `exact` of two runs, else that of `difference`.
        p_holm: `p`, corrected for the number of contrasts.
        p_verdict: The p-value of `difference`, corrected: it decides the verdict.
        mcnemar: Questions that only a, and only b, has right; None between groups.
        minimum_detectable: What the corrected test finds with a probability of 80 %; None where it finds none.
        more_seeds: The same, by the number of additional seeds in each group.
        num_questions: How many questions were compared.
        p_equivalent: The p-value of a difference that matters, corrected: at most 0.05 where the two are equivalent.
        chances: Where the true difference lies under a flat prior; no verdict depends on it.
        enough_seeds: The fewest more seeds in each group that would tell; None: no number of them does.
        enough_questions: How many questions would, with the seeds that there are; None: no number of them does.
        do_both_help: Whether many more seeds and many more questions, together, would.
    """

    difference: Difference
    low: float | None
    high: float | None
    level: float | None
    p: float | None
    p_holm: float | None
    p_verdict: float | None
    mcnemar: tuple[int, int] | None
    minimum_detectable: float | None
    more_seeds: Mapping[int, float]
    num_questions: int
    p_equivalent: float | None = None
    chances: Chances | None = None
    enough_seeds: int | None = None
    enough_questions: int | None = None
    do_both_help: bool = False

    def is_within(self, relevant: float) -> bool:
        """Whether no difference that matters is possible: the interval is inside, and the correction allows it."""
        if self.low is None or self.high is None or self.p_equivalent is None:
            return False
        return -relevant < self.low and self.high < relevant and self.p_equivalent <= ALPHA


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verdict depends on besides the numbers.

    Attributes:
        metric: The score that it is about.
        relevant: The smallest difference that matters: two groups that differ by less are equivalent.
        how: What the test takes as observations, in words.
        obstacle: Why nothing can be said; None if something can.
        collapse: What answers nothing, in words; None if both sides answer.
        looks: How many seeds the two groups had whenever they were compared before.
        way_out: What would detect smaller differences, where seeds cannot simply be added.
        are_seeds: Whether the two sides are seeds of the same settings.
        are_runs: Whether they are two runs, so that nothing is said about other seeds.
        any_look: Whether the verdict holds however often one looks while seeds are added.
    """

    metric: str
    relevant: float
    how: str
    way_out: str = "several seeds of each, or more dev questions, would detect smaller ones"
    obstacle: str | None = None
    collapse: str | None = None
    looks: Sequence[tuple[int, int]] = ()
    are_seeds: bool = False
    are_runs: bool = False
    any_look: bool = True

    @property
    def number(self) -> Number:
        """The row of the metric."""
        return number_of(self.metric)


def judge(tested: Tested, case: Circumstances) -> tuple[str, str]:
    """The verdict about b compared with a, and a sentence with the numbers behind it."""
    numbers = f"{case.number.signed(tested.difference.difference)} {case.metric}"
    if tested.low is not None and tested.high is not None:
        numbers += f" [{case.number.signed(tested.low)}, {case.number.signed(tested.high)}]"
    if case.collapse:
        return COLLAPSED, f"no verdict: {case.collapse}, where a score is the share of questions without an answer"
    if case.obstacle:
        return CANNOT_TELL, f"{numbers}; {case.obstacle}"
    if not tested.difference.standard_error and not tested.difference.difference:
        return (
            CANNOT_TELL,
            f"no difference in {case.metric} in any cluster of the {tested.num_questions:,} questions: "
            + NOTHING_TO_TEST,
        )
    word, sentence = _tested(tested, case, numbers)
    return word, sentence + ("" if case.any_look else looked_before(case.looks))


def looked_before(looks: Sequence[tuple[int, int]]) -> str:
    """How earlier looks with fewer seeds raise the risk of a false verdict, in words; empty if there were none.

    >>> looked_before([(2, 2), (3, 3)])
    '; compared before with 2 and 3 seeds: with 3 looks the risk of a false verdict is up to 15 %, not 5 %'
    """
    if not looks:
        return ""
    counts = [f"{a}" if a == b else f"{a} and {b}" for a, b in looks]
    told = " and ".join(counts) if len(counts) < 3 else ", ".join(counts)
    risk = min(100.0, 100 * ALPHA * (len(looks) + 1))
    return (
        f"; compared before with {told} seeds: with {len(looks) + 1} looks the risk of a false verdict is up to "
        f"{risk:.0f} %, not {100 * ALPHA:.0f} %"
    )


def _tested(tested: Tested, case: Circumstances, numbers: str) -> tuple[str, str]:
    p_value = 1.0 if tested.p_verdict is None else tested.p_verdict
    p = ("p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}") + _probability(tested, case)
    if p_value <= ALPHA and tested.difference.difference:
        word = (
            SEEDS_DIFFER if case.are_seeds else BETTER if case.number.is_gain(tested.difference.difference) else WORSE
        )
        return word, f"{word}: {numbers}, {p}; {case.how}"
    if tested.is_within(case.relevant):
        ruled_out = f"a difference of {case.number.size(case.relevant)} or more is ruled out"
        sides = "seeds" if case.are_seeds else "runs"
        return EQUIVALENT, f"{numbers}, {p}; {ruled_out}{f' between these two {sides}' if case.are_runs else ''}"
    reach = tested.minimum_detectable
    if reach is None:
        why = "" if tested.difference.standard_error else "the same difference in each of "
        few = "clusters of questions, which are too few" if why else "clusters of questions too few, or too much alike,"
        return CANNOT_TELL, f"{numbers}, {p}; {why}{few} to be certain of any difference"
    able = f"{case.number.size(reach)} or more (80 % power)" if reach <= case.number.width else "no difference"
    return CANNOT_TELL, f"{numbers}, {p}; this comparison can detect {able}; {what_would_tell(tested, case)}"


def _probability(tested: Tested, case: Circumstances) -> str:
    """How probable it is that the difference matters, on the side where it was found, and that it does not."""
    if tested.chances is None:
        return ""
    difference = tested.difference.difference
    value = tested.chances.above if difference > 0 else tested.chances.below
    side = BETTER if case.number.is_gain(difference) else WORSE
    size, within = case.number.size(case.relevant), tested.chances.within
    return f", P({side} by {size} or more) {_shown(value)}, P(closer than that) {_shown(within)}"


def _shown(chance: float) -> str:
    return "> 99 %" if chance > 0.99 else "< 1 %" if chance < 0.01 else f"= {100 * chance:.0f} %"


def what_would_tell(tested: Tested, case: Circumstances) -> str:
    """Which seeds or questions would tell, or that neither alone will.

    They detect a difference that matters, and leave the interval inside or beside 0 if the difference stays what it is.
    """
    if not tested.more_seeds:
        return case.way_out
    if tested.enough_seeds:
        planned = "" if case.any_look else ", a number fixed before the next look,"
        more = "1 more seed" if tested.enough_seeds == 1 else f"{tested.enough_seeds} more seeds"
        return f"{more} per group{planned} would tell"
    if tested.enough_questions:
        return f"no number of seeds will tell: the questions are too few, about {tested.enough_questions:,} would"
    if tested.do_both_help:
        return "neither more seeds nor more questions alone will tell: more of both are needed"
    return f"not even {MOST_SEEDS} more seeds per group and {MOST_TIMES} times as many questions would tell"
