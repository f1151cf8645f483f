"""Corrects for the number of contrasts: for each score, the contrasts that are tested are one family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from qaexp.comparison.group_tests import GroupTest
from qaexp.comparison.statistics.chances import chances
from qaexp.comparison.statistics.paired import holm
from qaexp.comparison.statistics.power import (
    MORE_SEEDS,
    enough_of_both,
    enough_questions,
    enough_seeds,
    minimum_detectable,
    must_detect,
    with_more_seeds,
)
from qaexp.comparison.verdict import ALPHA, Tested
from qaexp.runs.number import Number


@dataclass(frozen=True, slots=True)
class ScoreTest:
    """What the test of one score of one contrast gave.

    Attributes:
        found: The test's result.
        mcnemar: Questions that only a, and only b, has right, and McNemar's p-value; None between groups.
        num_questions: Over how many questions.
        number: The score's row.
    """

    found: GroupTest
    mcnemar: tuple[int, int, float] | None
    num_questions: int
    number: Number

    @property
    def kind(self) -> str:
        """What kind of comparison it is."""
        return self.found.kind

    @property
    def is_tested(self) -> bool:
        """Whether it has a p-value."""
        return self.found.reason is None


class Family:
    """All contrasts of a table."""

    def __init__(self, tests: Sequence[Mapping[str, ScoreTest]], relevant: Mapping[str, float] | None = None) -> None:
        """Take the tests of each contrast, by score, and the smallest difference that matters where it was given."""
        self._tests, self._relevant = tests, relevant or {}

    def corrected(self) -> list[dict[str, Tested]]:
        """Of each contrast, by score, what may be said about it."""
        names = dict.fromkeys(name for one in self._tests for name in one)
        found: list[dict[str, Tested]] = [{} for _ in self._tests]
        for name in names:
            places = [place for place, one in enumerate(self._tests) if name in one]
            for place, tested in zip(
                places, _corrected([self._tests[p][name] for p in places], self._relevant.get(name)), strict=True
            ):
                found[place][name] = tested
        return found


def _corrected(tests: Sequence[ScoreTest], relevant: float | None) -> list[Tested]:
    tested = [one for one in tests if one.is_tested]
    reported = [one.found.difference.p if one.mcnemar is None else one.mcnemar[2] for one in tested]
    p_holm, p_verdict = holm(reported), holm([one.found.difference.p for one in tested])
    sizes = [one.number.relevant if relevant is None else relevant for one in tested]
    p_equivalent = holm([one.found.difference.p_equivalent(size) for one, size in zip(tested, sizes, strict=True)])
    rows = iter(zip(reported, p_holm, p_verdict, p_equivalent, sizes, strict=True))
    return [_with_p(one, *next(rows), num_contrasts=len(tested)) if one.is_tested else _without_p(one) for one in tests]


def _with_p(
    one: ScoreTest,
    p: float,
    p_holm: float,
    p_verdict: float,
    p_equivalent: float,
    relevant: float,
    *,
    num_contrasts: int,
) -> Tested:
    difference = one.found.difference
    # The interval at the level that this p-value was held against: it leaves out 0 exactly where p_verdict <= ALPHA.
    alpha = ALPHA * difference.p / p_verdict if p_verdict > 0 else ALPHA / num_contrasts
    first_step = 1 - ALPHA / num_contrasts
    wanted = must_detect(difference, relevant, level=first_step)
    more = {number: with_more_seeds(difference, number, level=first_step) for number in MORE_SEEDS}
    return replace(
        _without_p(one, alpha),
        p=p,
        p_holm=p_holm,
        p_verdict=p_verdict,
        mcnemar=one.mcnemar[:2] if one.mcnemar else None,
        minimum_detectable=minimum_detectable(difference, level=first_step),
        more_seeds={number: points for number, points in more.items() if points is not None},
        p_equivalent=p_equivalent,
        chances=chances(difference, relevant),
        enough_seeds=enough_seeds(difference, wanted, level=first_step),
        enough_questions=_questions(one, wanted, first_step),
        do_both_help=enough_of_both(difference, wanted, level=first_step),
    )


def _questions(one: ScoreTest, wanted: float, level: float) -> int | None:
    """How many questions detect what must be, with the seeds that there are."""
    times = enough_questions(one.found.difference, wanted, level=level)
    return None if times is None else times * one.num_questions


def _without_p(one: ScoreTest, alpha: float = ALPHA) -> Tested:
    """A difference that is not tested; against a single seed it keeps its interval over questions."""
    low, high = _ends(one, alpha)
    return Tested(
        difference=one.found.difference,
        low=low,
        high=high,
        level=None if low is None else 1 - alpha,
        p=None,
        p_holm=None,
        p_verdict=None,
        mcnemar=None,
        minimum_detectable=None,
        more_seeds={},
        num_questions=one.num_questions,
    )


def _ends(one: ScoreTest, alpha: float) -> tuple[float | None, float | None]:
    """The interval inside what is possible; None where it has no end."""
    low, high = one.found.difference.interval(alpha)
    if not math.isfinite(low) or one.found.difference.standard_error == 0:
        return None, None
    return max(low, -one.number.width), min(high, one.number.width)
