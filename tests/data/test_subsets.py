"""Draws: without replacement, nested, deterministic, with the shares that they promise."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.data.squad import Answer, Example
from qaexp.data.subsets import draw, draw_in_order, resolve_size
from qaexp.errors import ConfigError
from qaexp.errors.rules import SUBSETS

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.lists(st.booleans(), min_size=1, max_size=60)


def examples_of(kinds: Sequence[bool]) -> list[Example]:
    """One example for each entry; True: answerable."""
    return [Example(f"q{n}", "T", "Paris", "Q", (Answer("Paris", 0),) * has_ans) for n, has_ans in enumerate(kinds)]


HALF = examples_of([n % 3 == 0 for n in range(100)])


def ids(examples: Sequence[Example]) -> list[str]:
    return [example.id for example in examples]


@pytest.mark.parametrize("policy", SUBSETS)
@given(kinds=KINDS, seed=SEEDS, data=st.data())
def test_draws_hold_each_example_at_most_once_and_repeat(
    policy: str, kinds: list[bool], seed: int, data: st.DataObject
) -> None:
    examples = examples_of([True, *kinds])
    available = 1 + sum(kinds) if policy == "answerable" else len(examples)
    size = data.draw(st.integers(1, available))
    drawn = draw(examples, size, policy, seed)
    assert len(set(ids(drawn))) == len(drawn) == size
    assert set(drawn) <= set(examples)
    assert size == 1 or draw(examples, float(size), policy, seed) == drawn
    assert draw(examples, 1.0, policy, seed) == draw(examples, None, policy, seed)
    assert len(draw(examples, None, policy, seed)) == available


@pytest.mark.parametrize("policy", [policy for policy in SUBSETS if policy != "python_sample"])
@given(kinds=KINDS, seed=SEEDS)
def test_small_draws_are_inside_larger_ones(policy: str, kinds: list[bool], seed: int) -> None:
    examples = examples_of([True, *kinds])
    everything = draw(examples, None, policy, seed)
    for size in range(1, len(everything) + 1):
        assert draw(examples, size, policy, seed) == everything[:size]


@given(kinds=KINDS, seed=SEEDS)
def test_stratified_keeps_the_share_at_every_size(kinds: list[bool], seed: int) -> None:
    drawn = draw(examples_of(kinds), None, "stratified", seed)
    share = sum(example.is_impossible for example in drawn) / len(kinds)
    for size in range(1, len(kinds) + 1):
        assert abs(sum(example.is_impossible for example in drawn[:size]) - share * size) <= 0.5 + 1e-9


@given(kinds=KINDS, seed=SEEDS)
def test_stratified_takes_each_kind_in_the_order_of_random(kinds: list[bool], seed: int) -> None:
    examples = examples_of(kinds)
    for kind in (True, False):
        orders = [
            [example.id for example in draw(examples, None, policy, seed) if example.is_impossible == kind]
            for policy in ("random", "stratified")
        ]
        assert orders[0] == orders[1]


@given(kinds=KINDS, seed=SEEDS)
def test_the_content_of_examples_does_not_matter(kinds: list[bool], seed: int) -> None:
    examples = examples_of(kinds)
    renamed = [Example(f"{e.id}-new", "Other", e.context + "!", "R", e.answers) for e in examples]
    for policy in ("random", "stratified", "first", "python_sample"):
        assert ids(draw(renamed, None, policy, seed)) == [f"{id}-new" for id in ids(draw(examples, None, policy, seed))]


def test_seeds_draw_differently_and_each_example_about_as_often() -> None:
    drawn = [ids(draw(HALF, 10, "random", seed)) for seed in range(400)]
    assert len({tuple(entry) for entry in drawn}) == 400
    counts = [sum(example.id in entry for entry in drawn) for example in HALF]
    # Binomial(400, 0.1): mean 40, standard deviation 6.
    assert min(counts) > 40 - 5 * 6
    assert max(counts) < 40 + 5 * 6


def test_the_draw_of_a_seed_stays_what_it_is() -> None:
    """A change here changes every run: raise the results version with it."""
    assert ids(draw(HALF, 6, "random", 2)) == ["q90", "q92", "q7", "q14", "q47", "q10"]
    assert ids(draw(HALF, 6, "stratified", 2)) == ["q92", "q90", "q7", "q14", "q84", "q47"]
    assert ids(draw(HALF, 6, "answerable", 2)) == ["q90", "q84", "q69", "q48", "q42", "q6"]


def test_first_and_answerable() -> None:
    assert draw(HALF, 5, "first", 7) == tuple(HALF[:5])
    answerable = draw(HALF, None, "answerable", 7)
    assert len(answerable) == 34
    assert not any(example.is_impossible for example in answerable)
    assert ids(answerable) != sorted(ids(answerable))


def test_python_sample_draws_as_the_notebook_did() -> None:
    """Its very calls; a tenth of so many is drawn by another algorithm than all of them."""
    many = examples_of([True] * 3000)
    state = random.getstate()
    try:
        random.seed(2)
        expected = random.sample(range(len(many)), 300)
    finally:
        random.setstate(state)
    assert ids(draw(many, 300, "python_sample", 2)) == [f"q{n}" for n in expected]
    assert expected[:5] == [231, 375, 347, 1478, 692]


def test_the_global_generator_is_left_alone() -> None:
    before = random.getstate()
    for policy in SUBSETS:
        draw(HALF, 10, policy, 3)
    assert random.getstate() == before


@given(seed=SEEDS, size=st.integers(1, 100))
def test_drawing_in_order_keeps_the_order(seed: int, size: int) -> None:
    drawn = draw_in_order(HALF, size, seed, key="data.dev_size")
    assert set(drawn) == set(draw(HALF, size, "random", seed))
    assert [HALF.index(example) for example in drawn] == sorted(HALF.index(example) for example in drawn)


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (None, 100),
        (1, 1),
        (1.0, 100),
        (100, 100),
        (2.0, 2),
        (0.1, 10),
        (0.015, 2),
        (1e-9, 1),
        (0.29, 29),
        (0.999999, 100),
    ],
)
def test_sizes(size: float | None, count: int) -> None:
    assert resolve_size(size, 100) == count


@pytest.mark.parametrize("size", [0, -1, 1.7, 2.5, 1.0000001, -0.5, float("nan"), float("inf"), True])
def test_illegal_sizes_are_refused(size: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.train_size={size} is neither") as caught:
        draw(HALF, size, "random", 0)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("size", [101, 10**9, 1e300])
def test_more_than_there_are_is_refused_with_both_numbers(size: float) -> None:
    with pytest.raises(ConfigError) as caught:
        draw(HALF, size, "random", 0)
    assert f"data.train_size={size:.15g} is more than the 100 examples" in str(caught.value)


def test_more_answerable_than_there_are() -> None:
    with pytest.raises(ConfigError, match="35 is more than the 34 answerable examples"):
        draw(HALF, 35, "answerable", 0)
    with pytest.raises(ConfigError, match="no answerable examples"):
        draw(examples_of([False]), None, "answerable", 0)


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data\.subset=best is none of random, "):
        draw(HALF, 5, "best", 0)
