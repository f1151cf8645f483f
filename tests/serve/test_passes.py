"""Passes: within the budget, of similar length, nobody waits for long, and nobody's windows are mixed up."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest

import qaexp
from qaexp.data.squad import Example
from qaexp.serve.passes import joined, next_pass

BUDGET = 2048


@dataclass
class One:
    remaining: list[tuple[int, int]]
    last_pass: int = 0
    is_alone: bool = False


def ones(*lengths: list[int]) -> list[One]:
    return [One(sorted(((length, number) for number, length in enumerate(some)), reverse=True)) for some in lengths]


def run(waiting: list[One], now: int) -> list[tuple[int, int]]:
    """One pass, as the worker does it."""
    chosen = next_pass(waiting, BUDGET)
    for place, number in chosen:
        waiting[place].last_pass = now
        waiting[place].remaining = [entry for entry in waiting[place].remaining if entry[1] != number]
    return chosen


@pytest.mark.parametrize("seed", range(20))
def test_every_window_is_read_once_within_the_budget_and_with_little_padding(seed: int) -> None:
    chance = random.Random(seed)
    lengths = [[chance.randint(4, 384) for _ in range(chance.choice((1, 1, 1, 3, 40)))] for _ in range(12)]
    waiting, seen, now = ones(*lengths), set(), 0
    while left := [one for one in waiting if one.remaining]:
        now += 1
        before = [id(one) for one in left]
        chosen = run(left, now)
        rows = [(before[place], number) for place, number in chosen]
        assert len(set(rows)) == len(rows)
        assert not seen & set(rows)
        seen |= set(rows)
        tokens = [lengths[[id(one) for one in waiting].index(owner)][number] for owner, number in rows]
        assert len(tokens) * max(tokens) <= BUDGET
        assert min(tokens) * 2 >= max(tokens)
    assert len(seen) == sum(map(len, lengths))


def test_a_short_question_waits_for_one_pass_of_a_long_one() -> None:
    waiting = ones([384] * 1000)
    run(waiting, 1)
    waiting += [One([(50, 0)], last_pass=0)]
    assert run(waiting, 2) == [(1, 0)]


def test_a_long_question_is_read_while_short_ones_keep_coming() -> None:
    waiting, reads = ones([384] * 10), 0
    for now in range(1, 21):
        waiting = [waiting[0], *(one for one in waiting[1:] if one.remaining)]
        waiting.append(One([(20, 0)], last_pass=now - 2))
        if not waiting[0].remaining:
            break
        reads += any(place == 0 for place, _ in run(waiting, now))
    assert waiting[0].remaining == []
    assert reads == 2


def test_questions_of_similar_length_share_a_pass() -> None:
    assert {place for place, _ in next_pass(ones(*[[100]] * 20), BUDGET)} == set(range(20))
    assert {place for place, _ in next_pass(ones(*[[100]] * 30), BUDGET)} == set(range(20))
    both = next_pass(ones([384] * 100, [384] * 100), BUDGET)
    assert sorted(place for place, _ in both) == [0, 0, 0, 1, 1]
    assert next_pass(ones([5000], [10]), BUDGET) == [(0, 0)]


def test_who_is_to_be_read_alone_is() -> None:
    waiting = ones([100, 90], [100], [100])
    waiting[0].is_alone = True
    assert next_pass(waiting, BUDGET) == [(0, 0), (0, 1)]
    waiting[0].last_pass = 1
    assert next_pass(waiting, BUDGET) == [(1, 0), (2, 0)]


def test_joined_windows_are_what_they_were(predictor: qaexp.Predictor) -> None:
    texts = ["Anna lives in Rome. " * 40, "Boris.", "Clara was born in Oslo. " * 20]
    made = [predictor.question_set([Example("", "", text, "Who?", ())]).features for text in texts]
    parts = [(made[0], 3), (made[1], 0), (made[2], 1), (made[0], 0)]
    found = joined(parts)
    assert found.example_index.tolist() == [0, 1, 2, 3]
    for row, (features, number) in enumerate(parts):
        own, expected = found.row(row), features.row(number)
        assert {**own, "example_index": 0} == expected
    logits = predictor.logits(found)
    for row, (features, number) in enumerate(parts):
        alone = predictor.logits(features).part(number, number + 1)
        np.testing.assert_allclose(logits.part(row, row + 1).start, alone.start, atol=1e-4)
