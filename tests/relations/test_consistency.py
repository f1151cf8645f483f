"""What one contrast says does not contradict itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison import verdict
from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.slices import slice_differences
from qaexp.comparison.verdict import ALPHA, BETTER, CANNOT_TELL, EQUIVALENT, WORSE
from qaexp.runs.metrics import number_of
from tests.relations.studies import PER_PARAGRAPH, RATES, NewFolder, Plan, add, answers, compared, examples, plans


@examples(30)
@given(plan=plans(), relevant=st.sampled_from((0.5, 2.0, 15.0, 40.0)))
def test_interval_p_power_and_verdict_agree(new_folder: NewFolder, plan: Plan, relevant: float) -> None:
    comparison = compared(plan.write(new_folder()), relevant=relevant)
    for one in comparison.tables[0].contrasts:
        for found in one.tests.values():
            agrees(found)
        judged(one, relevant)


def agrees(found: verdict.Tested) -> None:
    """The interval leaves out 0 exactly where p does, and what was not found is smaller than what would have been."""
    if found.p_verdict is None:
        assert (found.p, found.p_holm, found.minimum_detectable) == (None, None, None)
        return
    assert (found.p or 0) <= (found.p_holm or 0)
    assert found.difference.p <= found.p_verdict
    if found.low is not None and found.high is not None:
        assert found.low <= found.difference.difference <= found.high
        assert -100 <= found.low < found.high <= 100
        assert (not found.low <= 0 <= found.high) == (found.p_verdict <= ALPHA)
        assert (found.level or 0) >= 1 - ALPHA - 1e-12
    if found.p_verdict > ALPHA and found.minimum_detectable is not None:
        assert abs(found.difference.difference) <= found.minimum_detectable
    if found.chances is not None:
        parts = (found.chances.above, found.chances.within, found.chances.below)
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(1)


def judged(one: Contrast, relevant: float) -> None:
    found = one.tests[one.metric]
    is_significant = found.p_verdict is not None and found.p_verdict <= ALPHA
    assert (one.verdict in (BETTER, WORSE)) == is_significant
    if is_significant:
        assert (one.verdict == BETTER) == (found.difference.difference > 0)
    else:
        assert one.verdict == (EQUIVALENT if found.is_within(relevant) else CANNOT_TELL)
    if one.verdict == EQUIVALENT:
        assert -relevant < (found.low or 0) < (found.high or 0) < relevant
        assert (found.p_equivalent or 0) <= ALPHA
    assert one.sentence.startswith(f"{one.verdict}: ") or not is_significant


def test_what_is_ruled_out_is_a_finding(new_folder: NewFolder) -> None:
    folder = Plan(4, (50, 50), ((0, 1, 2, 3, 4),) * 2).write(new_folder())
    verdicts = [compared(folder, relevant=points).tables[0].contrasts[0].verdict for points in (0.5, 60.0)]
    assert verdicts == [CANNOT_TELL, EQUIVALENT]


@examples(10)
@given(plan=plans())
def test_no_estimate_leaves_the_range_of_its_number(new_folder: NewFolder, plan: Plan) -> None:
    summary = {"tokens_per_second": 100.0 + plan.draw, "null_threshold": -3.5}
    folder = plan.write(new_folder(), summary=summary)
    for seed in range(3):
        add(folder, f"high{seed}", answers(plan.draw, 105, seed), {"optimizer.lr": RATES[4], "seed": seed})
    for group in compared(folder).tables[0].groups:
        for name, found in group.metrics.items():
            row = number_of(name)
            ends = [end for end in (found.low, found.mean, found.high) if end is not None]
            assert ends == sorted(ends)
            assert row.low is None or min(ends) >= row.low
            assert row.high is None or max(ends) <= row.high


def test_ends_beyond_the_range_are_cut_and_only_where_there_is_a_range(new_folder: NewFolder) -> None:
    folder = new_folder()
    for place, level in enumerate((2.0, 98.0)):
        for seed in range(3):
            summary = {
                "tokens_per_second": 1000.0 + 900 * seed,
                "null_threshold": -3.0 - 5 * seed,
                "mfu": 90.0 + 9 * seed,
            }
            f1 = np.full(96, level) + (1.9 if level < 50 else -1.9) * (seed - 1)
            changes = {"optimizer.lr": RATES[place], "seed": seed}
            add(folder, f"{place}-{seed}", f1, changes, summary=summary)
    low, high = (compared(folder).tables[0].group(f"lr={rate}").metrics for rate in RATES[:2])
    assert (low["f1"].low, high["f1"].high) == (0, 100)
    assert (high["tokens_per_second"].high or 0) > 3000
    assert high["tokens_per_second"].low == 0
    assert (high["null_threshold"].low or 0) < -15
    assert (high["mfu"].high or 0) > 100


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_difference_of_everything_ends_at_a_hundred(new_folder: NewFolder, seeds: tuple[int, ...]) -> None:
    folder = new_folder()
    for place in (0, 1):
        for seed in seeds:
            f1 = place * np.repeat([40.0, 100, 100, 90, 100, 95 - seed, 100, 60], PER_PARAGRAPH)
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed})
    (contrast,) = compared(folder, baseline="0.0001").tables[0].contrasts
    found = contrast.tests["f1"]
    assert found.difference.high > 100
    assert found.high == 100


@examples(6)
@given(plan=plans(groups=(2, 2), seeds=((0,), (0, 1, 2), (4, 5))))
def test_slices_agree_with_themselves(new_folder: NewFolder, plan: Plan) -> None:
    comparison = compared(plan.write(new_folder()))
    a, b = comparison.tables[0].groups
    found = slice_differences(a, b, comparison.reader)
    assert found
    tested = [one for one in found if one.p is not None]
    assert sum(one.p_holm == one.p for one in tested) <= max(1, sum(one.p == 1 for one in tested))
    for one in found:
        assert one.difference == pytest.approx(one.b - one.a)
        assert one.low is None or one.high is None or -100 <= one.low <= one.difference <= one.high <= 100
        assert (one.p is None) == (one.p_holm is None)
        if one.p_holm is not None and one.low is not None:
            assert (not one.low <= 0 <= (one.high or 0)) == (one.p_holm <= ALPHA)
