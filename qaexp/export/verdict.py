"""What an export costs in quality: the paired test of a comparison, question by question, and a sentence of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.collapse import where_silent
from qaexp.comparison.family import Family, ScoreTest
from qaexp.comparison.group_tests import RUNS, Side, compare_sides
from qaexp.comparison.observations import design
from qaexp.comparison.reasons import obstacle
from qaexp.comparison.result import units
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.paired import mcnemar
from qaexp.comparison.verdict import Circumstances, Tested, judge
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.collect import RunFiles

Floats = npt.NDArray[np.float64]

EQUAL = "equal"
# The first that both sides have is the one that the verdict is about.
METRICS = ("crossfit_f1", "f1", "crossfit_exact", "exact")
_ONE = design([(0,) * 4])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """An export beside runs, on the same questions.

    Attributes:
        against: What it is compared with, in words; empty for the run that it is made of.
        metric: What the verdict is about.
        tests: By score, `Tested`; the difference is export minus runs.
        word: `equal`, `equivalent`, or a word of `qaexp compare`.
        sentence: The difference with its interval, what it is against, and the word.
        explained: How `qaexp compare` would put it.
    """

    against: str
    metric: str
    tests: Mapping[str, Tested]
    word: str
    sentence: str
    explained: str

    def document(self) -> dict[str, Any]:
        """What export.json holds of it."""
        return {
            "against": self.against or "the run",
            "metric": self.metric,
            "verdict": self.word,
            "explained": self.explained,
            "differences": {name: _numbers(tested) for name, tested in self.tests.items()},
        }


def judged(own: Mapping[str, Floats], runs: Sequence[RunFiles], against: str = "") -> Judged:
    """Test the scores of an export against those that runs stored; of several runs, against their mean a question.

    Args:
        own: The scores of each question by name, in percent, in the order of the sorted ids.
        runs: Runs that were scored on these questions.
        against: What they are, in words.
    """
    reader = ScoreReader()
    found = {name: test for name in METRICS if (test := _test(name, own, runs, reader)) is not None}
    tests = Family([found]).corrected()[0]
    metric = next(name for name in METRICS if name in tests)
    silent = next((where for run in runs if (where := where_silent(run, reader.read(run)))), None)
    case = Circumstances(
        metric=metric,
        relevant=number_of(metric).relevant,
        how="the same questions",
        way_out="more dev questions would detect smaller ones",
        obstacle=obstacle(found[metric].found.reason),
        collapse=f"the run answers nothing {silent}" if silent else None,
    )
    word, explained = judge(tests[metric], case)
    word = _refined(word, tests[metric], case)
    return Judged(against, metric, tests, word, _sentence(word, tests[metric], case, against), explained)


def _test(name: str, own: Mapping[str, Floats], runs: Sequence[RunFiles], reader: ScoreReader) -> ScoreTest | None:
    """The test of one score; None where a side lacks it."""
    measured = [reader.measured(run, name) for run in runs]
    kept = [one for one in measured if one is not None]
    if name not in own or len(kept) < len(measured):
        return None
    theirs = np.mean([one.values for one in kept], axis=0)
    unit = units(reader.read(runs[0]).questions.cluster_kind)
    sides = Side(theirs[None], _ONE), Side(own[name][None], _ONE)
    test = compare_sides(*sides, kept[0].clusters, score=name, unit=unit)
    is_counted = test.kind == RUNS and len(runs) == 1 and name.endswith("exact") and test.reason is None
    counts = mcnemar(theirs == 100, own[name] == 100) if is_counted else None
    return ScoreTest(test, counts, len(theirs), number_of(name))


def _refined(word: str, tested: Tested, case: Circumstances) -> str:
    """The word; `equal` where the scores are the same in every cluster of questions."""
    is_judged = not case.collapse and not case.obstacle
    return EQUAL if is_judged and not tested.difference.standard_error and not tested.difference.difference else word


def _sentence(word: str, tested: Tested, case: Circumstances, against: str) -> str:
    if case.collapse:
        return f"no verdict: {case.collapse}"
    if word == EQUAL:
        return f"the same {case.metric} in every cluster of questions" + (f" as {against}" if against else "")
    told, why = f"{case.number.signed(tested.difference.difference)} {case.metric}", case.obstacle
    if tested.low is not None and tested.high is not None:
        told += f" [{case.number.signed(tested.low)}, {case.number.signed(tested.high)}]"
    elif not why:
        why = "too few questions differ"
    told += f" against {against}" if against else ""
    return f"{told}, {word}" + (f" ({why})" if why else "")


def _numbers(tested: Tested) -> dict[str, float | None]:
    return {
        "difference": tested.difference.difference,
        "low": tested.low,
        "high": tested.high,
        "p": tested.p,
        "minimum_detectable": tested.minimum_detectable,
    }
