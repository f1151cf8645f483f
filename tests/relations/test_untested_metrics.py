"""Only what is tested question by question has ranks and verdicts beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.compared import edit
from tests.relations.outputs import FORMATS, rows_in
from tests.relations.studies import NUM, RATES, NewFolder, Plan, add_test, answers, change_scores, compared

WORDS = {"", "not better", "baseline", None}
UNTESTED = ("train_seconds", "tokens_per_second", "best_f1", "null_threshold")


def study(folder: Path) -> Path:
    plan = Plan(6, (35, 80), ((0, 1, 2),) * 2)
    return plan.write(folder, summary={"null_threshold": -1.5})


@pytest.mark.parametrize("output", FORMATS)
def test_what_is_not_tested_has_no_verdict_and_no_rank_beside_it(new_folder: NewFolder, output: str) -> None:
    folder = study(new_folder())
    for metric in UNTESTED:
        for row in rows_in(output, compared(folder, metric=metric)).values():
            assert row.get("verdict") in WORDS
            assert row.get("rank") is None
            assert not row.get("is_bold")


@pytest.mark.parametrize("metric", UNTESTED)
def test_the_contrast_says_which_score_its_verdict_is_about(new_folder: NewFolder, metric: str) -> None:
    (table,) = compared(study(new_folder()), metric=metric).tables
    (contrast,) = table.contrasts
    assert contrast.metric == "f1"
    assert " f1 " in contrast.sentence
    assert metric not in contrast.sentence


def test_a_single_group_has_no_rank_in_what_is_not_tested(new_folder: NewFolder) -> None:
    folder = Plan(6, (50,), ((0, 1),)).write(new_folder())
    for metric in ("train_seconds", "best_f1"):
        (table,) = compared(folder, metric=metric).tables
        assert list(table.places.values()) == [None]


def with_tests(folder: Path) -> Path:
    """Two rates that are alike on the dev questions; on those of the test the second one is far better."""
    for run in Plan(6, (50, 50), ((0, 1, 2),) * 2).write(folder).iterdir():
        place, seed = int(run.name[1]), int(run.name[3])
        add_test(run, answers(60, 30 + 55 * place, seed, config=place))
    return folder


def test_the_test_set_is_tested_where_all_runs_hold_its_scores(new_folder: NewFolder) -> None:
    folder = with_tests(new_folder())
    comparison = compared(folder, metric="test_f1", baseline="0.0001")
    (contrast,) = comparison.tables[0].contrasts
    assert (contrast.metric, contrast.verdict) == ("test_f1", "better")
    assert set(contrast.tests) >= {"f1", "exact", "test_f1"}
    a, b = (comparison.tables[0].group(f"lr={rate}").metrics["test_f1"].mean for rate in RATES[:2])
    assert contrast.tests["test_f1"].difference.difference == pytest.approx(b - a)
    (folder / "g0s1" / "test_scores.csv").unlink()
    (contrast,) = compared(folder, metric="test_f1", baseline="0.0001").tables[0].contrasts
    assert contrast.metric == "f1"
    assert "test_f1" not in contrast.tests


def test_other_test_questions_or_golds_are_not_paired(new_folder: NewFolder) -> None:
    for change in ("questions", "golds"):
        folder = with_tests(new_folder())
        for run in folder.iterdir():
            if run.name.startswith("g1") and change == "questions":
                text = (run / "test_scores.csv").read_text("utf-8").replace("q000", "r000")
                (run / "test_scores.csv").write_text(text, "utf-8")
            elif change == "golds":
                edit(run / "data.json", sha256={"train": "t", "dev": "dev", "test": run.name[:2]})
        (contrast,) = compared(folder, metric="test_f1").tables[0].contrasts
        assert (contrast.metric, "test_f1" in contrast.tests) == ("f1", False), change


def test_a_part_of_the_questions_is_tested_on_that_part(new_folder: NewFolder) -> None:
    golds = [[f"gold {number}"] if number % 3 else [] for number in range(NUM)]
    folder = Plan(6, (35, 80), ((0, 1, 2),) * 2).write(new_folder(), golds=golds)
    (contrast,) = compared(folder, metric="has_ans_f1").tables[0].contrasts
    assert contrast.metric == "has_ans_f1"
    assert contrast.tests["has_ans_f1"].num_questions == sum(map(bool, golds))
    for run in folder.iterdir():
        f1 = [0.0 if gold else 100.0 for gold in golds]
        change_scores(run, {"f1": f1})
        edit(run / "summary.json", f1=sum(f1) / NUM, has_ans_f1=0.0, no_ans_f1=100.0)
    (contrast,) = compared(folder, metric="no_ans_f1").tables[0].contrasts
    assert contrast.tests["no_ans_f1"].difference.difference == 0
