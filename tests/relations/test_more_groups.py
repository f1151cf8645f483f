"""More groups beside two of them: the correction grows with their number, and what the two show stays what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.contrasts import Contrast
from tests.relations.studies import (
    COLLAPSED,
    NAMES,
    RATES,
    NewFolder,
    Plan,
    add,
    answers,
    compared,
    examples,
    only,
    pair_of,
    plans,
)

ALONE = ((0,),)


@examples(12)
@given(plan=plans(groups=(2, 2), seeds=ALONE), skill=st.sampled_from((40, 55, 90)))
def test_a_third_group_leaves_two_runs_as_they_are_and_corrects_for_itself(
    new_folder: NewFolder, plan: Plan, skill: int
) -> None:
    folder = plan.write(new_folder())
    before = only(compared(folder))
    add(folder, "third", answers(plan.draw + 1, skill, config=9), {"optimizer.lr": RATES[2]})
    comparison = compared(folder, baseline=before.a)
    after = pair_of(comparison, before.a, before.b)
    assert after.num_contrasts == 3
    for name in before.tests:
        family = [one.tests[name] for one in comparison.tables[0].contrasts]
        least = min(family, key=lambda one: one.difference.p)
        assert least.p_verdict == pytest.approx(min(1.0, 3 * least.difference.p))
    for name, one in before.tests.items():
        found = after.tests[name]
        assert (found.p, found.difference.difference) == (one.p, one.difference.difference)
        assert (found.p_holm or 0) >= (one.p_holm or 0)
        assert (found.p_verdict or 0) >= (one.p_verdict or 0)
        assert (found.minimum_detectable or 0) > (one.minimum_detectable or 0)
        assert (found.level or 0) >= (one.level or 0)


@examples(12)
@given(plan=plans(groups=(3, 4), seeds=((0, 1), (0, 1, 2), (3, 4, 5))))
def test_more_groups_widen_the_part_of_the_seeds_and_never_narrow_it(new_folder: NewFolder, plan: Plan) -> None:
    two = Plan(plan.draw, plan.skills[:2], plan.seeds[:2])
    before = only(compared(two.write(new_folder())))
    after = pair_of(compared(plan.write(new_folder()), baseline=before.a), before.a, before.b)
    for name, one in before.tests.items():
        found = after.tests[name]
        assert found.difference.difference == one.difference.difference
        for (wide, _), (narrow, _) in zip(found.difference.variance.seeds, one.difference.variance.seeds, strict=True):
            assert wide >= narrow
        assert found.difference.standard_error >= one.difference.standard_error * (1 - 1e-12)


@examples(8)
@given(plan=plans(groups=(2, 4), seeds=((0,), (0, 1, 2), (3, 4))))
def test_a_collapsed_group_changes_nothing_among_the_others(new_folder: NewFolder, plan: Plan) -> None:
    folder = plan.write(new_folder())
    before = compared(folder)
    for seed in plan.seeds[0]:
        changes = {"optimizer.lr": RATES[4], "seed": seed}
        add(folder, f"silent{seed}", answers(0, 50), changes, flags=COLLAPSED)
    after = compared(folder)
    assert after.tables[0].baseline == before.tables[0].baseline
    ranks = {name: rank for name, rank in after.tables[0].places.items() if name != NAMES[4]}
    assert ranks == before.tables[0].places
    for one in before.tables[0].contrasts:
        same_as(pair_of(after, one.a, one.b), one)


def same_as(found: Contrast, one: Contrast) -> None:
    assert (found.verdict, found.sentence, found.num_contrasts) == (one.verdict, one.sentence, one.num_contrasts)
    for name in one.tests:
        numbers = [
            (test.p, test.p_holm, test.p_verdict, test.low, test.high, test.minimum_detectable)
            for test in (one.tests[name], found.tests[name])
        ]
        assert numbers[0] == pytest.approx(numbers[1])
