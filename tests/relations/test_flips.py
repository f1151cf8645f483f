"""Question by question: what one group gets right and the other does not, seen from both sides alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.compare import Comparison
from qaexp.comparison.flips import Flip, flips
from tests.relations.studies import NAMES, NUM, RATES, NewFolder, add, compared, examples

MIRRORED = {
    "fixed": "broken",
    "broken": "fixed",
    "null to span": "span to null",
    "span to null": "null to span",
    "changed but equal": "changed but equal",
}
GOLDS = [[f"gold {number}"] if number % 3 else [] for number in range(NUM)]


def study(folder: Path, draw: int, num_seeds: int) -> Path:
    """Two groups that answer rightly, wrongly in two ways, or not at all."""
    for place in (0, 1):
        for seed in range(num_seeds):
            kinds = np.random.default_rng([draw, place, seed]).integers(0, 4, NUM)
            texts, exact = [], []
            for kind, golds in zip(kinds, GOLDS, strict=True):
                texts.append(("".join(golds), "", "wrong", "also wrong")[kind])
                exact.append(100.0 if texts[-1] == "".join(golds) else 0.0)
            scores = np.array(exact)
            changes = {"optimizer.lr": RATES[place], "seed": seed}
            add(folder, f"{place}-{seed}", scores, changes, exact=scores, texts=texts, golds=GOLDS)
    return folder


def both_ways(comparison: Comparison) -> tuple[dict[str, Flip], dict[str, Flip]]:
    a, b = (comparison.tables[0].group(name) for name in NAMES[:2])
    there, back = (flips(*pair, comparison.reader) for pair in ((a, b), (b, a)))
    return {flip.id: flip for flip in there}, {flip.id: flip for flip in back}


@examples(10)
@given(draw=st.integers(0, 999), num_seeds=st.integers(1, 4))
def test_swapping_sides_turns_every_flip(new_folder: NewFolder, draw: int, num_seeds: int) -> None:
    there, back = both_ways(compared(study(new_folder(), draw, num_seeds)))
    assert there.keys() == back.keys()
    assert len({flip.kind for flip in there.values()}) >= 4
    for id, flip in there.items():
        other = back[id]
        assert flip.kind == MIRRORED[other.kind]
        assert (flip.a, flip.a_exact, flip.a_f1, flip.was_null) == (other.b, other.b_exact, other.b_f1, other.is_null)


@examples(10)
@given(draw=st.integers(0, 999), num_seeds=st.integers(1, 4))
def test_a_flip_shows_the_answers_that_it_is_about(new_folder: NewFolder, draw: int, num_seeds: int) -> None:
    there, _ = both_ways(compared(study(new_folder(), draw, num_seeds)))
    for flip in there.values():
        gold = "".join(flip.golds)
        assert (flip.a == gold) == (flip.a_exact > 50)
        assert (flip.b == gold) == (flip.b_exact > 50)
        if flip.kind == "fixed":
            assert flip.a_exact < 50 < flip.b_exact
        if flip.kind in ("null to span", "span to null"):
            assert (flip.was_null, flip.is_null) == (not flip.a, not flip.b)
            assert (not flip.a) == (flip.kind == "null to span")
        assert flip.a != flip.b


@pytest.mark.parametrize(("right", "of"), [(1, 2), (2, 4)])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("others", [0.0, 100.0])
def test_half_of_the_runs_are_no_majority(new_folder: NewFolder, right: int, of: int, side: int, others: float) -> None:
    folder = new_folder()
    for place in (0, 1):
        for seed in range(of):
            f1 = np.full(24, others if place != side else 100.0 if seed < right else 0.0)
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed})
    assert both_ways(compared(folder)) == ({}, {})


@pytest.mark.parametrize("num_right", range(4))
def test_two_of_three_are_a_majority(new_folder: NewFolder, num_right: int) -> None:
    folder = new_folder()
    for place in (0, 1):
        for seed in range(3):
            f1 = np.full(24, 100.0 if place == 1 and seed < num_right else 0.0)
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed})
    there, _ = both_ways(compared(folder))
    assert {flip.kind for flip in there.values()} == ({"fixed"} if num_right >= 2 else set())
