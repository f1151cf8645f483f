"""A run that answers nothing has no rank, and only one verdict, in every output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.slices import slice_differences
from qaexp.comparison.verdict import COLLAPSED
from qaexp.runs.short_words import value_text
from tests.fixtures.compared import edit
from tests.relations.outputs import FORMATS, rows_in
from tests.relations.studies import COLLAPSED as FLAG
from tests.relations.studies import NAMES, NUM, RATES, NewFolder, add, answers, change_scores, compared, default_options

HOW = ("flag", "silent at 0", "silent at its threshold")
EMPTY = np.where(np.arange(NUM) % 2 == 0, 0.0, 100.0)
GOLDS = [[f"gold {number}"] if number % 2 == 0 else [] for number in range(NUM)]


def study(folder: Path, how: str, *, seeds: tuple[int, ...] = (0,)) -> Path:
    """Two rates that answer, and a third with a high score that does not, in its last run."""
    for place, skill in enumerate((40, 45, 90)):
        for seed in seeds:
            changes = {"optimizer.lr": RATES[place], "seed": seed}
            if place == 2 and seed == seeds[-1]:
                silent(folder, changes, how)
            else:
                add(folder, f"{place}-{seed}", answers(2, skill, seed, config=place), changes, golds=GOLDS)
    return folder


def silent(folder: Path, changes: dict[str, object], how: str) -> None:
    if how == "flag":
        add(folder, "silent", answers(2, 90, config=2), changes, flags=FLAG, golds=GOLDS)
        return
    run = add(folder, "silent", EMPTY, changes, golds=GOLDS)
    threshold = 0.0 if how == HOW[1] else -5.0
    change_scores(run, {"null_score_diff": [threshold + 2.0] * NUM})
    if how == HOW[2]:
        change_scores(run, {"f1": [50.0] * NUM})
        edit(run / "summary.json", null_threshold=threshold, f1=50.0)


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("output", FORMATS)
def test_no_output_judges_what_answers_nothing(
    new_folder: NewFolder, how: str, output: str, seeds: tuple[int, ...]
) -> None:
    comparison = compared(study(new_folder(), how, seeds=seeds))
    (table,) = comparison.tables
    assert table.places[NAMES[2]] is None
    assert table.groups[-1].name == NAMES[2]
    rows = rows_in(output, comparison)
    assert rows[NAMES[2]]["verdict"] == COLLAPSED
    assert rows[NAMES[2]].get("rank") is None
    assert not rows[NAMES[2]].get("is_bold")
    assert all(rows[name]["verdict"] != COLLAPSED for name in NAMES[:2])


@pytest.mark.parametrize("how", HOW)
def test_every_contrast_with_it_is_no_verdict_and_says_who(new_folder: NewFolder, how: str) -> None:
    comparison = compared(study(new_folder(), how))
    (table,) = comparison.tables
    with_it = [one for one in table.contrasts if NAMES[2] in (one.a, one.b)]
    assert len(with_it) == 2
    for one in with_it:
        assert one.verdict == COLLAPSED
        assert f"{NAMES[2]}: 1 of 1 run answers nothing " in one.sentence
        assert {(test.p, test.p_holm, test.minimum_detectable) for test in one.tests.values()} == {(None, None, None)}
    assert {one.num_contrasts for one in table.contrasts} == {1}
    assert table.baseline in NAMES[:2]
    assert slice_differences(table.group(NAMES[0]), table.group(NAMES[2]), comparison.reader) == []


def test_one_silent_run_of_three_is_enough_and_counted(new_folder: NewFolder) -> None:
    comparison = compared(study(new_folder(), "flag", seeds=(0, 1, 2)))
    sentences = [one.sentence for one in comparison.tables[0].contrasts if one.verdict == COLLAPSED]
    assert len(sentences) == 2
    assert all("1 of 3 runs answers nothing" in sentence for sentence in sentences)


def test_a_collapsed_baseline_judges_nobody(new_folder: NewFolder) -> None:
    comparison = compared(study(new_folder(), "flag"), baseline=NAMES[2])
    verdicts = {row["verdict"] for row in rows_in("json", comparison).values()}
    assert verdicts == {COLLAPSED}


def test_what_answers_nothing_is_no_baseline_while_others_answer(new_folder: NewFolder) -> None:
    folder, nearest = new_folder(), default_options().defaults["optimizer.lr"]
    for place, factor in enumerate((1.0, 3.0, 9.0)):
        flags = FLAG if place == 0 else []
        add(folder, f"{place}", answers(2, 50, config=place), {"optimizer.lr": nearest * factor}, flags=flags)
    (table,) = compared(folder).tables
    assert table.baseline == f"lr={value_text(nearest * 3.0)}"
    assert "of those that answer" in table.baseline_reason
