"""Whom the others are compared with, and who stands where, follows from settings and tests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.verdict import BETTER, WORSE
from qaexp.runs.short_words import value_text
from tests.relations.studies import RATES, NewFolder, Plan, add, answers, compared, default_options, examples, plans


@examples(6)
@given(factors=st.permutations((0.01, 0.5, 9.0, 30.0)), draw=st.integers(0, 99))
def test_the_group_with_the_nearest_value_is_the_baseline(
    new_folder: NewFolder, factors: list[float], draw: int
) -> None:
    folder, default = new_folder(), default_options().defaults["optimizer.lr"]
    for place, factor in enumerate(factors):
        add(folder, f"{place}", answers(draw, 40 + 10 * place, config=place), {"optimizer.lr": default * factor})
    assert compared(folder).tables[0].baseline == f"lr={value_text(default * 0.5)}"


def test_fewer_keys_that_differ_come_before_nearer_values(new_folder: NewFolder) -> None:
    folder, defaults = new_folder(), default_options().defaults
    rate, epochs = defaults["optimizer.lr"], defaults["trainer.epochs"]
    add(folder, "a", answers(1, 50), {"optimizer.lr": rate * 100, "trainer.epochs": epochs})
    add(folder, "b", answers(1, 60), {"optimizer.lr": rate * 1.1, "trainer.epochs": epochs + 1})
    assert compared(folder).tables[0].baseline == f"lr={value_text(rate * 100)} epochs={epochs}"


@examples(10)
@given(plan=plans(groups=(3, 5)))
def test_ranks_follow_from_verdicts_and_hold_the_true_order(new_folder: NewFolder, plan: Plan) -> None:
    (table,) = compared(plan.write(new_folder())).tables
    num = len(table.groups)
    for group in table.groups:
        won = lost = 0
        for one in table.contrasts:
            if group.name in (one.a, one.b):
                is_up = one.verdict == (BETTER if one.b == group.name else WORSE)
                won += is_up
                lost += one.verdict in (BETTER, WORSE) and not is_up
        rank = table.places[group.name]
        assert rank is not None
        assert (rank.best, rank.worst) == (1 + lost, num - won)


def test_groups_that_no_test_tells_apart_share_every_place(new_folder: NewFolder) -> None:
    folder = new_folder()
    for rate in RATES[:3]:
        add(folder, f"{rate}", answers(1, 50), {"optimizer.lr": rate})
    (table,) = compared(folder).tables
    assert {str(rank) for rank in table.places.values()} == {"1-3"}
