"""Evaluation sets: names, order and sides change names, order and signs alone; what is not alike is not compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from qaexp.comparison.result import Comparison
from qaexp.comparison.sets import ALIKE, FEW_SEEDS, OverSets, each_over_sets
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.paper import table_rows
from qaexp.comparison.shown.tables import terminal
from tests.fixtures.compared import edit
from tests.relations.studies import COLLAPSED, NAMES, NewFolder, Plan, add_set, answers, compared

SETS = ("bio", "law", "news", "web")
PLAN = Plan(6, (50, 56, 75), ((0, 1, 2, 3),) * 3)


def study(folder: Path, names: Sequence[str] = SETS, plan: Plan = PLAN) -> Path:
    """Runs whose sets are harder and easier than the dev questions; the k-th set has the same scores by any name."""
    for run in plan.write(folder).iterdir():
        place, seed = int(run.name[1]), int(run.name[3])
        for number, name in enumerate(names):
            skill = plan.skills[place] - 15 + 8 * number
            add_set(run, name, answers(100 + number, skill, seed, config=place))
    return folder


def over(*paths: Path, **options: Any) -> OverSets:
    ((_, sets),) = each_over_sets(compared(*paths, **options))
    return sets


def printed(comparison: Comparison) -> str:
    """What a pipe gets."""
    console = Console(file=StringIO(), width=10_000)
    console.print(terminal(comparison))
    found: str = console.file.getvalue()  # type: ignore[attr-defined]
    return found


def stated(sets: OverSets) -> list[Any]:
    """All numbers over the sets, by group."""
    groups = [(one.group.name, one.iqm, list(one.profile)) for one in sets.groups]
    return [*groups, *((pair.a, pair.b, pair.improvement) for pair in sets.pairs)]


def test_names_and_order_of_sets_and_runs_change_no_number(new_folder: NewFolder) -> None:
    folder = study(new_folder())
    first = stated(over(folder))
    assert stated(over(study(new_folder(), ("z", "a9", "m_x", "1")))) == first
    other = new_folder()
    for number, run in enumerate(sorted(folder.iterdir(), key=lambda run: run.name[::-1])):
        shutil.copytree(run, other / f"{99 - number}")
    assert stated(over(other)) == first


def test_with_sides_swapped_the_probability_turns(new_folder: NewFolder) -> None:
    folder = study(new_folder(), plan=replace(PLAN, skills=(50, 50), seeds=((0, 1, 2), (0, 1, 2, 3, 4))))
    (one,), (other,) = (over(folder, baseline=name).pairs for name in NAMES[:2])
    assert (one.a, one.b) == (other.b, other.a)
    there, back = one.improvement, other.improvement
    assert 0 < there.value < 1
    assert there.low is not None
    assert there.high is not None
    assert (back.value, back.low, back.high) == pytest.approx((1 - there.value, 1 - there.high, 1 - there.low))


def test_a_set_that_all_are_alike_on_makes_no_one_better(new_folder: NewFolder) -> None:
    folder = study(new_folder(), SETS[:1])
    before = over(folder).pairs
    for run in folder.iterdir():
        add_set(run, "same", answers(1, 50))
    after = over(folder).pairs
    expected = [pair.improvement.value / 2 + 0.25 for pair in before]
    assert [pair.improvement.value for pair in after] == pytest.approx(expected)


def test_repeats_are_no_more_seeds(new_folder: NewFolder) -> None:
    folder = study(new_folder())
    first = stated(over(folder))
    shutil.copytree(folder / "g0s1", folder / "again")
    edit(folder / "again" / "run.json", started="2030")
    assert stated(over(folder)) == first


def test_all_outputs_have_the_same_numbers(new_folder: NewFolder) -> None:
    comparison = compared(study(new_folder()))
    ((_, sets),) = each_over_sets(comparison)
    (told,) = document(comparison)["sets"]
    rows, text = table_rows(comparison), printed(comparison)
    for one, row, found in zip(sets.groups, rows, told["groups"], strict=True):
        assert one.iqm is not None
        assert found["iqm"] == {"mean": row["iqm_f1"], "low": row["iqm_f1_low"], "high": row["iqm_f1_high"],
                                "no_interval": None}  # fmt: skip
        assert f"{one.iqm.value:.1f} [{one.iqm.low:.1f}, {one.iqm.high:.1f}]" in text
        assert row["test_bio_f1"] == pytest.approx(sum(found["scores"]["bio"]) / 4)
    for pair, found in zip(sets.pairs, told["improvement"], strict=True):
        assert (found["probability"], found["low"]) == (pair.improvement.value, pair.improvement.low)
        assert f"against #{found['a_number']}: {pair.improvement.value:.2f} [" in text


def test_a_metric_of_a_set_is_tested_on_its_own_questions(new_folder: NewFolder) -> None:
    folder = study(new_folder())
    (table,) = compared(folder, metric="test_law_f1", baseline=NAMES[0]).tables
    found = {contrast.b: contrast for contrast in table.contrasts if contrast.a == NAMES[0]}
    assert (found[NAMES[2]].metric, found[NAMES[2]].verdict) == ("test_law_f1", "better")
    means = [table.group(name).metrics["test_law_f1"].mean for name in NAMES[:3]]
    assert found[NAMES[2]].tests["test_law_f1"].difference.difference == pytest.approx(means[2] - means[0])
    assert over(folder, metric="test_law_exact").score == "exact"


def of_runs(change: Callable[[Path], object], *starts: str) -> Callable[[Path], None]:
    """A change of those runs of a study whose names begin so."""

    def changed(folder: Path) -> None:
        for run in folder.iterdir():
            if run.name.startswith(starts):
                change(run)

    return changed


def ask_other_questions(run: Path) -> None:
    table = run / "test_sets" / "law.csv"
    table.write_text(table.read_text("utf-8").replace("law0", "war0"), "utf-8")


def have_other_golds(run: Path) -> None:
    hashes = json.loads((run / "data.json").read_text("utf-8"))["sha256"]
    edit(run / "data.json", sha256={**hashes, "test_law": "other"})


def train_on_it(run: Path) -> None:
    shared = {"test_law": {"questions": 3}, "test_bio": {"questions": 0}}
    counts = {"test_law": {"num_examples": 96}, "test_bio": {"num_examples": 96}}
    edit(run / "data.json", audit={"shared_with_train": shared, **counts})


def lose_it(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    kept = {key: value for key, value in summary.items() if not key.startswith("test_law")}
    (run / "summary.json").write_text(json.dumps(kept), "utf-8")


def lose_its_scores(run: Path) -> None:
    (run / "test_sets" / "law.csv").unlink()


def contradict_it(run: Path) -> None:
    edit(run / "summary.json", test_law_f1=99.0)


CAUSES = {
    ask_other_questions: "law is in no IQM: 4 of 12 runs (first: g1s0) have other questions or gold answers under",
    have_other_golds: "law is in no IQM: 4 of 12 runs (first: g1s0) have other questions or gold answers under",
    train_on_it: "no test_law_f1 that counts: 3 of the 96 questions of the set law were trained on",
    lose_it: "law is in no IQM: 4 of 12 runs (first: g1s0) have no test_law_f1 that counts",
    lose_its_scores: "law is in no IQM: 4 of 12 runs (first: g1s0) have no test_sets/law.csv",
    contradict_it: "that counts: summary.json says test_law_f1 99.00, test_sets/law.csv gives",
}


@pytest.mark.parametrize("change", CAUSES)
def test_a_set_that_is_not_alike_in_all_runs_is_in_no_aggregate_and_named(
    change: Callable[[Path], None], new_folder: NewFolder
) -> None:
    folder = study(new_folder())
    of_runs(change, "g1")(folder)
    sets = over(folder)
    assert sets.counted == ["bio", "news", "web"]
    assert CAUSES[change] in printed(compared(folder))
    first = study(new_folder())
    for run in first.iterdir():
        lose_it(run)
    assert stated(sets) == stated(over(first))
    # Nothing is concluded from it, either.
    (table,) = compared(folder, metric="test_law_f1", baseline=NAMES[0]).tables
    assert not any(one.metric == "test_law_f1" and NAMES[1] in (one.a, one.b) for one in table.contrasts)


def test_groups_without_any_set_take_nothing_from_the_others(new_folder: NewFolder) -> None:
    folder = study(new_folder(), plan=replace(PLAN, skills=PLAN.skills[:2], seeds=PLAN.seeds[:2]))
    before = stated(over(folder))
    third = replace(PLAN, skills=PLAN.skills[:3])
    for run in third.write(new_folder()).iterdir():
        if run.name.startswith("g2"):
            shutil.copytree(run, folder / run.name)
    sets = over(folder)
    assert sets.counted == list(SETS)
    assert [row for row in stated(sets) if NAMES[2] not in row[:2]] == before
    assert "no evaluation set" in printed(compared(folder))


def test_who_answers_nothing_has_no_aggregate(new_folder: NewFolder) -> None:
    folder = study(new_folder())
    before = {row[:1]: row for row in stated(over(folder)) if NAMES[2] not in row[:2]}
    edit(folder / "g2s0" / "run.json", flags=COLLAPSED)
    # Whatever it was asked.
    for change in (ask_other_questions, lose_it, train_on_it):
        change(folder / f"g2s{len(change.__name__) % 4}")
    sets = over(folder)
    assert sets.counted == list(SETS)
    assert {one.group.name: one.iqm is None for one in sets.groups}[NAMES[2]]
    assert not any(NAMES[2] in (pair.a, pair.b) for pair in sets.pairs)
    assert {row[:1]: row for row in stated(sets) if NAMES[2] not in row[:2]} == before
    assert "collapsed: no IQM where a run answers nothing" in printed(compared(folder))


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_few_seeds_have_no_interval_and_say_so(seeds: tuple[int, ...], new_folder: NewFolder) -> None:
    folder = study(new_folder(), SETS[:1], replace(PLAN, seeds=(seeds,) * 3))
    sets = over(folder)
    assert {one.iqm.problem for one in sets.groups if one.iqm} == {FEW_SEEDS}
    assert {pair.improvement.problem for pair in sets.pairs} == {FEW_SEEDS}
    text = printed(compared(folder))
    assert f"no interval: {FEW_SEEDS}" in text
    assert "of fewer than four scores the interquartile mean is the mean" in text
    assert f"1 evaluation set, f1 in percent; IQM over 1 set x {len(seeds)} seed" in text


def test_seeds_that_agree_are_no_certainty(new_folder: NewFolder) -> None:
    folder = PLAN.write(new_folder())
    for run in folder.iterdir():
        add_set(run, "bio", answers(1, 50 + 10 * int(run.name[1])))
    assert {one.iqm.problem for one in over(folder).groups if one.iqm} == {ALIKE}


def test_seeds_by_seed_are_not_better_than_each_other(new_folder: NewFolder) -> None:
    assert over(study(new_folder()), by="seed").pairs == []
