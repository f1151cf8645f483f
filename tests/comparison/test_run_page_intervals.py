"""The page of a run and a comparison say the same of that run: one interval of a score, one way to cut slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.slices import MIN_QUESTIONS, slice_differences
from qaexp.reporting.numbers.intervals import dependence, group
from qaexp.reporting.numbers.slice_panels import slice_panels
from qaexp.runs.readers.collect import read_run
from tests.fixtures.compared import scores, write_run

# Of articles and of paragraphs, in every order of the rows.
RUNS = {"articles": (880, 0), "paragraphs": (120, 1), "few paragraphs": (32, 2)}


@pytest.mark.parametrize("name", RUNS)
def test_the_interval_of_f1_is_that_of_the_comparison(tmp_path: Path, options: Options, name: str) -> None:
    num, seed = RUNS[name]
    golds = [[f"gold {place}"] if place % 3 else [] for place in range(num)]
    order = np.random.default_rng(seed).permutation(num)
    f1 = scores(seed, 80, num)
    run = read_run(write_run(tmp_path / "s" / "a", f1, golds=golds, order=order))
    shown = compare([tmp_path], options).tables[0].groups[0].metrics
    rows = run.scores()
    depend = dependence(rows)
    whole = group("all", [row["f1"] for row in rows], depend.labels)
    none = next(found for found in slice_panels(rows, depend)["answer length"] if found.label == "none")
    for found, metric in ((whole, "f1"), (none, "no_ans_f1")):
        expected = shown[metric]
        assert expected.over == "questions"
        assert found.mean == pytest.approx(expected.mean, abs=1e-9)
        assert (found.low, found.high) == (expected.low, expected.high)


def test_slices_hold_the_same_questions(tmp_path: Path, options: Options) -> None:
    golds = [[f"gold {place}"] if place % 3 else [] for place in range(240)]
    for rate in (1e-4, 1e-3):
        f1 = scores(0, 80, 240) if rate == 1e-3 else scores(1, 70, 240)
        run = write_run(tmp_path / "s" / str(rate), f1, golds=golds, changes={"optimizer.lr": rate})
    comparison = compare([tmp_path], options)
    assert comparison.main_pair is not None
    found = slice_differences(*comparison.main_pair, comparison.reader)
    rows = read_run(run).scores()
    for name, groups in slice_panels(rows, dependence(rows)).items():
        of_page = [group.num for group in groups if group.num >= MIN_QUESTIONS and group.label != "none"]
        assert sorted(one.n for one in found if one.dimension == name) == sorted(of_page), name
        assert of_page, name


def test_three_paragraphs_have_no_interval_on_either(tmp_path: Path, options: Options) -> None:
    rows = read_run(write_run(tmp_path / "s" / "a", scores(0, 80, 24))).scores()
    assert group("all", [row["f1"] for row in rows], dependence(rows).labels).low is None
    assert compare([tmp_path], options).tables[0].groups[0].metrics["f1"].low is None


def test_a_number_without_an_end_keeps_its_t_interval(tmp_path: Path, options: Options) -> None:
    nll = 150 + 300 * np.random.default_rng(0).random(80)
    write_run(tmp_path / "s" / "a", scores(0, 80, 80), nll=nll)
    found = compare([tmp_path], options).tables[0].groups[0].metrics["gold_nll"]
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high
    assert found.high - found.mean == pytest.approx(found.mean - found.low)
