"""Two groups that answer alike differ by 0 with p 1, and nobody learns from it how small a difference would show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.verdict import CANNOT_TELL, EQUIVALENT
from tests.relations.studies import NAMES, RATES, NewFolder, add, answers, compared, examples, only, pair_of


@examples(8)
@given(draw=st.integers(0, 999), num_seeds=st.integers(1, 4))
def test_a_group_and_its_double_show_no_difference_and_no_power(
    new_folder: NewFolder, draw: int, num_seeds: int
) -> None:
    contrast = only(compared(doubles(new_folder(), draw, num_seeds)))
    assert contrast.verdict == CANNOT_TELL
    assert "nothing to test" in contrast.sentence
    for found in contrast.tests.values():
        assert (found.difference.difference, found.p, found.p_holm) == (0, 1, 1)
        assert (found.minimum_detectable, found.low, found.high) == (None, None, None)


@examples(8)
@given(draw=st.integers(0, 999), num_seeds=st.integers(1, 4))
def test_other_groups_beside_a_double_teach_nothing_about_it(new_folder: NewFolder, draw: int, num_seeds: int) -> None:
    folder = doubles(new_folder(), draw, num_seeds)
    for place in (2, 3):
        for seed in range(num_seeds):
            f1 = answers(draw, 50 + 10 * place, seed, config=place)
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed})
    contrast = pair_of(compared(folder), *NAMES[:2])
    assert contrast.verdict == CANNOT_TELL
    assert contrast.tests["f1"].p == 1
    assert contrast.tests["f1"].minimum_detectable is None


@examples(6)
@given(draw=st.integers(0, 999), num_seeds=st.integers(2, 4))
def test_the_same_scores_under_other_seeds_are_no_difference(new_folder: NewFolder, draw: int, num_seeds: int) -> None:
    folder = new_folder()
    for place in (0, 1):
        for seed in range(num_seeds):
            changes = {"optimizer.lr": RATES[place], "seed": seed + 10 * place}
            add(folder, f"{place}-{seed}", answers(draw, 50, seed), changes)
    contrast = only(compared(folder))
    assert contrast.tests["f1"].difference.difference == pytest.approx(0)
    assert contrast.tests["f1"].p == pytest.approx(1)
    reach = contrast.tests["f1"].minimum_detectable
    assert contrast.verdict in (CANNOT_TELL, EQUIVALENT)
    assert reach is None or reach > 0


def test_a_double_under_a_neutral_key_is_a_repeat(new_folder: NewFolder) -> None:
    folder = new_folder()
    add(folder, "a", answers(1, 50), {"trainer.log_every": 5})
    add(folder, "b", answers(1, 50), {"trainer.log_every": 50})
    found = compared(folder)
    assert [group.n for group in found.tables[0].groups] == [1]
    assert len(found.skipped) == 1


def test_what_cancels_out_in_every_cluster_is_not_called_the_same_on_all_questions(new_folder: NewFolder) -> None:
    folder = new_folder()
    f1 = np.tile([0.0, 100.0], 48)
    add(folder, "a", f1, {"optimizer.lr": RATES[0]})
    add(folder, "b", 100 - f1, {"optimizer.lr": RATES[1]})
    contrast = only(compared(folder))
    assert contrast.verdict == CANNOT_TELL
    assert "on all 96 questions" not in contrast.sentence


def doubles(folder, draw, num_seeds):  # type: ignore[no-untyped-def]
    for rate in RATES[:2]:
        for seed in range(num_seeds):
            add(folder, f"{rate}-{seed}", answers(draw, 50, seed), {"optimizer.lr": rate, "seed": seed})
    return folder
