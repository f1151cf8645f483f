"""What runs are called, where they lie and in which order they are given changes nothing that is stated."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.shown.report import figure_data, page
from tests.fixtures.compared import edit
from tests.relations.studies import (
    COLLAPSED,
    RATES,
    NewFolder,
    Plan,
    add,
    answers,
    compared,
    examples,
    plans,
    stated,
)

FOUR = Plan(11, (50, 53, 60, 80), ((0, 1, 2),) * 4)


@examples(6)
@given(plan=plans(), shuffle=st.integers(0, 99))
def test_the_order_of_paths_changes_nothing(new_folder: NewFolder, plan: Plan, shuffle: int) -> None:
    folder = plan.write(new_folder())
    paths = sorted(folder.iterdir())
    expected = compared(folder)
    random.Random(shuffle).shuffle(paths)
    found = compared(*paths)
    assert stated(found) == stated(expected)
    assert found.names == expected.names


@examples(6)
@given(plan=plans(), shuffle=st.integers(0, 99))
def test_names_of_folders_and_of_configs_change_nothing(new_folder: NewFolder, plan: Plan, shuffle: int) -> None:
    folder = plan.write(new_folder())
    expected = stated(compared(folder))
    renamed(folder, shuffle)
    assert stated(compared(folder)) == expected


def test_moving_the_tree_changes_nothing_but_its_place(new_folder: NewFolder) -> None:
    folder = FOUR.write(new_folder())
    before = compared(folder)
    page_before = page(before, figure_data(before))
    moved = Path(shutil.move(folder, folder.with_name("elsewhere") / "and" / "deeper"))
    after = compared(moved)
    assert stated(after) == stated(before)
    assert page(after, figure_data(after)) == page_before


def test_copies_are_passed_over_and_told(new_folder: NewFolder) -> None:
    folder = FOUR.write(new_folder())
    expected = stated(compared(folder))
    for name in ("g0s1", "g3s2"):
        shutil.copytree(folder / name, folder / f"a-copy-of-{name}")
    named = shutil.copytree(folder / "g1s0", folder / "0-other-name")
    edit(named / "config.json", name="other-name")
    found = compared(folder)
    assert stated(found) == expected
    assert len(found.skipped) == 3
    assert all(reason.startswith(("the same run as", "a repeat of")) for _, reason in found.skipped)


def test_the_first_of_runs_with_the_same_settings_and_seeds_counts_whatever_it_is_called(
    new_folder: NewFolder,
) -> None:
    for names in (("a", "z"), ("z", "a")):
        folder = FOUR.write(new_folder())
        expected = stated(compared(folder))
        shutil.move(folder / "g0s0", folder / f"{names[0]}-first")
        edit(folder / f"{names[0]}-first" / "run.json", started="2026-01-01T10:00:00+00:00")
        changes = {"optimizer.lr": RATES[0], "seed": 0}
        again = add(folder, f"{names[1]}-again", answers(77, 99), changes)
        edit(again / "run.json", started="2026-01-02T10:00:00+00:00")
        found = compared(folder)
        assert stated(found) == expected
        ((path, reason),) = found.skipped
        assert path == again
        assert "a repeat of" in reason
        assert "with another exact" in reason


def test_of_runs_measured_differently_the_table_that_comes_first_does_not_go_by_names(new_folder: NewFolder) -> None:
    tables = []
    for names in (("a", "b"), ("b", "a")):
        folder = new_folder()
        for name, version in zip(names, (1, 2), strict=True):
            for place in (0, 1):
                changes = {"optimizer.lr": RATES[place], "decoding.max_answer_length": 10 * version}
                add(folder, f"{name}{place}", answers(3, 50 + 20 * place, config=place), changes)
        tables.append(stated(compared(folder)))
    assert tables[0] == tables[1]


def test_groups_whose_values_read_the_same_keep_their_names_apart_from_folders(new_folder: NewFolder) -> None:
    tables = []
    for names in (("a", "b"), ("b", "a")):
        folder = new_folder()
        for name, value, skill in zip(names, (1, "1"), (50, 80), strict=True):
            add(folder, name, answers(3, skill), {"optimizer.momentum": value})
        tables.append(stated(compared(folder)))
    assert tables[0] == tables[1]
    assert len({group["name"] for group in tables[0]["groups"]}) == 2


def test_keys_that_only_some_configs_have_are_named_in_one_order(new_folder: NewFolder) -> None:
    choices = (
        {"optimizer._target_": "AdamW", "optimizer.eps": 1e-8},
        {"optimizer._target_": "SGD", "optimizer.momentum": 0.9},
    )
    tables = []
    for names in (("a", "b"), ("b", "a")):
        folder = new_folder()
        for name, changes, skill in zip(names, choices, (50, 80), strict=True):
            add(folder, name, answers(3, skill), changes)
        tables.append(stated(compared(folder)))
    assert tables[0] == tables[1]


def test_a_collapsed_run_is_one_wherever_it_lies(new_folder: NewFolder) -> None:
    tables = []
    for names in (("a", "b"), ("b", "a")):
        folder = new_folder()
        add(folder, names[0], answers(3, 50), {"optimizer.lr": RATES[0]})
        add(folder, names[1], answers(3, 80), {"optimizer.lr": RATES[1]}, flags=COLLAPSED)
        tables.append(stated(compared(folder)))
    assert tables[0] == tables[1]


def renamed(folder: Path, shuffle: int) -> None:
    """Give every run another folder name, in another order, and another `name` in its config."""
    runs = sorted(folder.iterdir())
    random.Random(shuffle).shuffle(runs)
    for number, run in enumerate(runs):
        moved = run.rename(folder / f"new{number}")
        edit(moved / "config.json", name=f"name{number}")
