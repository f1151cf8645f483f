"""The same two groups seen from the other side: signs, ends and words turn, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given

from qaexp.comparison.verdict import BETTER, CANNOT_TELL, EQUIVALENT, WORSE
from tests.fixtures.compared import write_run
from tests.relations.studies import NAMES, RATES, NewFolder, Plan, answers, compared, examples, only, plans

TURNED = {BETTER: WORSE, WORSE: BETTER, CANNOT_TELL: CANNOT_TELL, EQUIVALENT: EQUIVALENT}


@examples(15)
@given(plan=plans(groups=(2, 2)))
def test_swapping_sides_turns_signs_ends_and_words_alone(new_folder: NewFolder, plan: Plan) -> None:
    folder = plan.write(new_folder())
    one, other = (only(compared(folder, baseline=name)) for name in NAMES[:2])
    assert (one.a, one.b, one.verdict) == (other.b, other.a, TURNED[other.verdict])
    assert (one.kind, one.single_factor, set(one.factors)) == (other.kind, other.single_factor, set(other.factors))
    for name, found in one.tests.items():
        back = other.tests[name]
        assert found.difference.difference == pytest.approx(-back.difference.difference, abs=1e-9)
        assert (found.p, found.p_holm, found.p_verdict) == pytest.approx((back.p, back.p_holm, back.p_verdict))
        assert found.minimum_detectable == pytest.approx(back.minimum_detectable)
        if found.low is not None and found.high is not None:
            assert back.low is not None
            assert (found.low, found.high) == pytest.approx((-(back.high or 0.0), -back.low), abs=1e-9)
        assert found.mcnemar == (back.mcnemar and back.mcnemar[::-1])


def test_a_large_gap_is_better_one_way_and_worse_the_other(new_folder: NewFolder) -> None:
    folder = Plan(5, (35, 80), ((0, 1, 2, 3, 4),) * 2).write(new_folder())
    assert [only(compared(folder, baseline=name)).verdict for name in NAMES[:2]] == [BETTER, WORSE]


def test_the_same_answers_twice_are_the_same_from_both_sides(new_folder: NewFolder) -> None:
    folder = new_folder()
    for rate in RATES[:2]:
        write_run(folder / f"{rate}", answers(1, 50), changes={"optimizer.lr": rate})
    assert [only(compared(folder, baseline=name)).verdict for name in NAMES[:2]] == [CANNOT_TELL] * 2
