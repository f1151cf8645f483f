"""A key's effect is what it does by itself; what runs cannot tell apart is named and gets none."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.main_effects import Effects, main_effects
from tests.relations.studies import COLLAPSED, RATES, NewFolder, add, answers, compared, examples

SIZES = (100, 200)


def study(folder: Path, draw: int, runs: Sequence[tuple[int, int, int]], num_seeds: int = 1) -> Path:
    """Write runs of some rates, epochs and sizes, by their places."""
    for (rate, epochs, size), seed in itertools.product(runs, range(num_seeds)):
        changes = {
            "optimizer.lr": RATES[rate],
            "trainer.epochs": epochs + 1,
            "data.train_size": SIZES[size],
            "seed": seed,
        }
        f1 = answers(draw, 40 + 10 * rate + 6 * epochs, seed, config=2 * rate + epochs)
        add(folder, f"{rate}{epochs}{size}{seed}", f1, changes)
    return folder


def effects(folder: Path) -> Effects:
    return main_effects(compared(folder).tables[0].groups, "f1")


def rows(found: Effects, key: str) -> dict[str, float]:
    return {row.value: row.effect for row in found.rows if row.key == key}


@examples(6)
@given(draw=st.integers(0, 999), num_seeds=st.integers(1, 2))
def test_a_factor_that_is_fully_crossed_does_not_change_the_effect_of_another(
    new_folder: NewFolder, draw: int, num_seeds: int
) -> None:
    runs = [(rate, epochs, 0) for rate in range(3) for epochs in range(2)]
    before = effects(study(new_folder(), draw, runs, num_seeds))
    # The size changes nothing here, so that all that can change is the model.
    after = effects(study(new_folder(), draw, [*runs, *((rate, epochs, 1) for rate, epochs, _ in runs)], num_seeds))
    for key in ("optimizer.lr", "trainer.epochs"):
        assert rows(after, key) == pytest.approx(rows(before, key))
        assert sum(rows(after, key).values()) == pytest.approx(0)
    assert rows(after, "data.train_size") == pytest.approx(dict.fromkeys(map(str, SIZES), 0.0))
    assert (before.aliased, after.aliased) == ([], [])


def test_keys_that_always_change_together_are_one(new_folder: NewFolder) -> None:
    runs = [(rate, epochs, epochs) for rate in range(2) for epochs in range(2)]
    found = effects(study(new_folder(), 1, runs, 2))
    joined = {row.key for row in found.rows if " + " in row.key}
    assert len(joined) == 1
    assert set(next(iter(joined)).split(" + ")) == {"trainer.epochs", "data.train_size"}
    assert found.aliased == []


def test_keys_that_runs_do_not_tell_apart_are_named_and_get_no_effect(new_folder: NewFolder) -> None:
    # Three values of the rate, of which one goes with the other size alone: the size is a sum of the rate's columns.
    runs = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 1)]
    found = effects(study(new_folder(), 1, runs))
    assert set(found.aliased) == {"optimizer.lr", "data.train_size"}
    assert {row.key for row in found.rows} == {"trainer.epochs"}


def test_two_arms_from_one_centre_leave_both_effects(new_folder: NewFolder) -> None:
    found = effects(study(new_folder(), 1, [(0, 0, 0), (1, 0, 0), (0, 1, 0)], 2))
    assert {row.key for row in found.rows} == {"optimizer.lr", "trainer.epochs"}


def test_a_group_that_answers_nothing_has_no_effect(new_folder: NewFolder) -> None:
    runs = [(rate, epochs, 0) for rate in range(2) for epochs in range(2)]
    folder = study(new_folder(), 2, runs, 2)
    before = effects(folder)
    add(folder, "silent", answers(2, 95), {"optimizer.lr": RATES[4], "seed": 0}, flags=COLLAPSED)
    assert rows(effects(folder), "optimizer.lr") == pytest.approx(rows(before, "optimizer.lr"))


def test_effects_of_a_whole_grid_are_distances_of_its_means(new_folder: NewFolder) -> None:
    runs = [(rate, epochs, 0) for rate in range(3) for epochs in range(2)]
    comparison = compared(study(new_folder(), 3, runs, 2))
    groups = comparison.tables[0].groups
    whole = fmean(group.metrics["f1"].mean for group in groups)
    found = main_effects(groups, "f1")
    for row in found.rows:
        having = [group.metrics["f1"].mean for group in groups if str(group.changes[row.key]) == row.value]
        assert row.effect == pytest.approx(fmean(having) - whole)
        assert row.low is not None
        assert row.low < row.effect < (row.high or 0)
