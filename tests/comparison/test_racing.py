"""The decisions of a race, on scores that are drawn here: who is dropped, and when the best is known."""

from __future__ import annotations

import numpy as np
import pytest

from qaexp.comparison.racing import ALIKE, BEST, EQUAL, MIN_SEEDS, TOO_FEW, Standing, judge, obstacle
from qaexp.comparison.statistics.difference import Codes, Floats

NUM_CLUSTERS, SIZE = 100, 5
CLUSTERS: Codes = np.repeat(np.arange(NUM_CLUSTERS), SIZE).astype(np.intp)


def drawn(
    means: dict[str, float], num_seeds: int = 6, *, seed: int = 0, spread: float = 0.5, noise: float = 3.0
) -> dict[str, Floats]:
    """Scores around a mean: questions are as hard for all, seeds and questions vary."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, 10, len(CLUSTERS))
    return {
        name: mean
        + hard
        + generator.normal(0, spread, (num_seeds, 1))
        + generator.normal(0, noise, (num_seeds, len(CLUSTERS)))
        for name, mean in means.items()
    }


def judged(tables: dict[str, Floats], *, relevant: float = 2.0, better: str = "higher", entrants: int = 0) -> Standing:
    return judge(tables, CLUSTERS, num_entrants=entrants or len(tables), relevant=relevant, better=better)


def test_who_is_clearly_worse_is_dropped_and_the_last_one_is_the_best() -> None:
    standing = judged(drawn({"a": 50.0, "b": 70.0, "c": 30.0}))
    assert (standing.leader, standing.dropped, standing.verdict) == ("b", ("a", "c"), BEST)
    evidence = standing.evidence["a"]
    assert evidence.difference == pytest.approx(-20, abs=1)
    assert evidence.low < evidence.difference < evidence.high < 0
    assert evidence.p <= evidence.level == pytest.approx(0.025)


def test_of_a_loss_the_lowest_is_the_best() -> None:
    standing = judged(drawn({"a": 50.0, "b": 70.0}), better="lower")
    assert (standing.leader, standing.dropped) == ("a", ("b",))


def test_those_that_are_alike_within_relevant_end_a_race_and_nobody_is_dropped() -> None:
    tables = drawn({"a": 50.0, "b": 50.0}, 12, spread=0.1, noise=1.0)
    assert (judged(tables).verdict, judged(tables).dropped) == (ALIKE, ())
    assert judged(tables, relevant=0.01).verdict is None


def test_nothing_is_decided_with_few_seeds_or_by_few_clusters() -> None:
    tables = drawn({"a": 50.0, "b": 90.0}, MIN_SEEDS - 1)
    assert (judged(tables).dropped, judged(tables).verdict) == ((), None)
    one = {name: table[:1] for name, table in tables.items()}
    assert judged(one).evidence["a"].p == 1.0
    three: Codes = (np.arange(len(CLUSTERS)) % 3).astype(np.intp)
    few = judge(drawn({"a": 50.0, "b": 90.0}), three, num_entrants=2, relevant=2.0, better="higher")
    assert (few.dropped, few.verdict) == ((), None)
    assert obstacle(three) == "3 paragraphs of dev questions: nothing can be said with fewer than 4"
    assert obstacle(CLUSTERS) is None


def test_equal_scores_of_all_are_no_best() -> None:
    table = drawn({"a": 50.0})["a"]
    standing = judged({"a": table, "b": table.copy(), "c": table.copy()})
    assert (standing.verdict, standing.dropped) == (EQUAL, ())
    assert {one.p for one in standing.evidence.values()} == {1.0}


def test_a_race_that_more_seeds_would_not_decide_ends() -> None:
    """The questions differ more than the seeds: with 20 of them nothing is known within half a point."""
    generator = np.random.default_rng(3)
    hard = generator.normal(0, 10, (2, 20))
    own = np.arange(20, dtype=np.intp)
    tables = {name: 50 + hard[place] + generator.normal(0, 0.1, (8, 20)) for place, name in enumerate("ab")}
    standing = judge(tables, own, num_entrants=2, relevant=0.5, better="higher")
    assert standing.verdict == TOO_FEW


def test_one_that_is_left_alone_is_the_best_of_those_that_are_left() -> None:
    assert judged(drawn({"a": 50.0}), entrants=4).verdict == BEST


def test_the_more_take_part_the_more_evidence_is_asked_for() -> None:
    tables = drawn({"a": 50.0, "b": 52.0}, 4, seed=4)
    levels = [judged(tables, entrants=number).evidence["a"] for number in (2, 11)]
    assert [one.level for one in levels] == [pytest.approx(0.05), pytest.approx(0.005)]
    assert levels[0].p == levels[1].p
    assert levels[0].low > levels[1].low


def test_the_interval_leaves_out_what_the_test_rejects() -> None:
    for seed in range(20):
        found = judged(drawn({"a": 50.0, "b": 51.0}, 5, seed=seed))
        (one,) = found.evidence.values()
        assert (one.p <= one.level) == (one.high < 0) == bool(found.dropped)


def test_the_best_is_wrongly_dropped_in_at_most_5_percent_of_races() -> None:
    """All are equally good, the questions are new each time, and it is looked after every seed."""
    wrong = 0
    for seed in range(120):
        tables = drawn({"a": 50.0, "b": 50.0, "c": 50.0}, 8, seed=seed)
        left = list(tables)
        for number in range(MIN_SEEDS, 9):
            standing = judged({name: tables[name][:number] for name in left}, relevant=0.001, entrants=3)
            left = [name for name in left if name not in standing.dropped]
        wrong += "a" not in left
    assert wrong <= 0.05 * 120
