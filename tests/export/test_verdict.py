"""The verdict on an export: the paired test of a comparison, and what its interval says beyond the words of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.compare import compare
from qaexp.export.verdict import Judged, judged
from qaexp.runs.readers.collect import RunFiles, read_completed_run
from tests.fixtures.compared import scores, write_run

NUM = 1200
BASE = scores(0, 60, NUM)


def run_of(folder: Path, f1: np.ndarray, **changes: object) -> RunFiles:
    return read_completed_run(write_run(folder, f1, changes=changes))


def against(run: RunFiles, f1: np.ndarray) -> Judged:
    exact = np.where(f1 == 100, 100.0, 0.0)
    return judged({"f1": f1, "crossfit_f1": f1, "exact": exact, "crossfit_exact": exact}, [run])


def changed(num: int, points: float) -> np.ndarray:
    """The base with other scores for some questions, spread over all articles."""
    found = BASE.copy()
    able = np.flatnonzero((BASE == 100.0) if points < 0 else (BASE == 0.0))
    found[able[np.linspace(0, len(able) - 1, num).astype(int)]] += points
    return found


def test_it_is_the_test_of_a_comparison(tmp_path: Path) -> None:
    """Two runs beside each other, and an export with the scores of the second one beside the first, to the last bit."""
    other = changed(40, -100.0)
    one = run_of(tmp_path / "runs" / "one", BASE)
    run_of(tmp_path / "runs" / "two", other, **{"optimizer.lr": 1.0})
    (contrast,) = compare([tmp_path / "runs"]).tables[0].contrasts
    found = against(one, other)
    assert found.metric == contrast.metric == "crossfit_f1"
    for name, tested in found.tests.items():
        theirs = contrast.tests[name]
        sign = 1 if np.sign(theirs.difference.difference) == np.sign(tested.difference.difference) else -1
        assert tested.difference.difference == sign * theirs.difference.difference
        assert tested.p == theirs.p
        assert (tested.low, tested.high) == ((theirs.low, theirs.high) if sign > 0 else (-theirs.high, -theirs.low))


@pytest.mark.parametrize(
    ("num", "points", "word"),
    [(0, 0.0, "equal"), (12, -50.0, "worse"), (150, -100.0, "worse"), (150, 100.0, "better")],
)
def test_the_words(num: int, points: float, word: str, tmp_path: Path) -> None:
    found = against(run_of(tmp_path / "run", BASE), changed(num, points))
    assert found.word == word
    assert found.sentence.endswith(f", {word}") or word == "equal"


def test_a_difference_that_cannot_matter_is_called_equivalent(tmp_path: Path) -> None:
    other = changed(20, -100.0)
    other[np.flatnonzero(BASE == 0)[:400:21]] = 100.0
    found = against(run_of(tmp_path / "run", BASE), other)
    tested = found.tests["crossfit_f1"]
    assert tested.low is not None
    assert tested.high is not None
    assert found.word == "equivalent"
    assert -2 < tested.low < 0 < tested.high < 2
    assert found.sentence == (
        f"{tested.difference.difference:+.1f} crossfit_f1 [{tested.low:+.1f}, {tested.high:+.1f}], equivalent"
    )


def test_few_questions_leave_it_open(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", BASE[:160])
    other = BASE[:160].copy()
    other[::5] = np.where(np.arange(32) % 2, 100.0, 0.0)
    found = against(run, other)
    assert found.word == "cannot tell"
    assert found.sentence.endswith("], cannot tell")
    other = BASE[:160].copy()
    other[0] = 100.0 - other[0]
    assert against(run, other).sentence.endswith("crossfit_f1, cannot tell (too few questions differ)")


def test_several_runs_are_their_mean_on_each_question(tmp_path: Path) -> None:
    several = [scores(seed, 60, NUM) for seed in range(3)]
    runs = [run_of(tmp_path / str(seed), f1, seed=seed) for seed, f1 in enumerate(several)]
    found = judged({"crossfit_f1": several[0]}, runs, "the mean of its seeds").tests["crossfit_f1"]
    assert found.difference.difference == pytest.approx(float(np.mean(several[0] - np.mean(several, axis=0))))


def test_a_run_that_answers_nothing_gets_no_verdict(tmp_path: Path) -> None:
    run = read_completed_run(write_run(tmp_path / "run", BASE, flags=[{"name": "null_collapse"}]))
    assert against(run, BASE).sentence == "no verdict: the run answers nothing as its flag says"
