"""The course of a race, from finished runs alone: rounds, budgets, who is set aside, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.scores import Measured
from qaexp.errors import ConfigError
from qaexp.runs.directory import SWEEP_RACE
from qaexp.runs.readers.race import race_lines, race_notes, races_document, read_race, standing_words
from qaexp.sweeps.race.course import Course, Rules
from qaexp.sweeps.race.entrants import read_field, scored_by
from qaexp.sweeps.race.finished import Finished
from qaexp.sweeps.race.record import document, write_race
from qaexp.sweeps.race.words import announced, end_lines, round_lines

CLUSTERS = np.repeat(np.arange(50), 4).astype(np.intp)
SEEDS = tuple(f"seed={number}" for number in range(6))
RULES = Rules("crossfit_f1", "higher", 2.0)


def run(mean: float, seed: int, *, digest: str = "d", fault: str = "") -> Finished:
    generator = np.random.default_rng(seed + round(mean * 100))
    values = mean + generator.normal(0, 0.5) + generator.normal(0, 3, len(CLUSTERS))
    return Finished(100, 2.0, None if fault else Measured(values, CLUSTERS, digest), fault)


def raced(means: dict[str, float], rules: Rules = RULES, seeds: tuple[str, ...] = SEEDS) -> Course:
    course = Course(list(means), seeds, rules)
    while wanted := course.wanted():
        course.take({name: [run(means[name], place) for place in wanted[name]] for name in wanted}, {})
    return course


def test_the_first_round_has_three_seeds_and_the_next_ones_one_each() -> None:
    course = Course(["a", "b"], SEEDS, RULES)
    assert course.wanted() == {"a": range(3), "b": range(3)}
    course.take({"a": [run(50.0, place) for place in range(3)], "b": [run(49.5, place) for place in range(3)]}, {})
    assert course.wanted() == {"a": range(3, 4), "b": range(3, 4)}
    assert course.spent.runs == 6


def test_who_is_worse_gets_no_more_seeds() -> None:
    course = raced({"good": 80.0, "bad": 20.0, "near": 79.9})
    found = {one["name"]: one for one in document(course)["configurations"]}
    assert (found["bad"]["state"], found["bad"]["round"]) == ("dropped", document(course)["rounds"][-1]["round"]) or (
        found["bad"]["num_runs"] < found["good"]["num_runs"]
    )
    assert found["good"]["state"] == "open"
    decisions = [one for made in document(course)["rounds"] for one in made["decisions"] if one["name"] == "bad"]
    assert (decisions[-1]["decision"], decisions[-1]["p"] <= decisions[-1]["level"]) == ("dropped", True)
    assert json.loads(json.dumps(document(course), allow_nan=False)) == document(course)


@pytest.mark.parametrize(
    ("means", "rules", "seeds", "end"),
    [
        ({"a": 80.0, "b": 20.0}, RULES, SEEDS, "best"),
        ({"a": 50.0, "b": 49.9}, Rules("crossfit_f1", "higher", 20.0), SEEDS, "alike"),
        ({"a": 50.0, "b": 49.0}, Rules("crossfit_f1", "higher", 0.7), SEEDS[:3], "seeds"),
        ({"a": 50.0, "b": 49.5}, Rules("crossfit_f1", "higher", 0.7, budget_runs=7), SEEDS, "budget"),
        ({"a": 50.0, "b": 49.5}, Rules("crossfit_f1", "higher", 0.7, budget_steps=799), SEEDS, "budget"),
        ({"a": 50.0, "b": 49.5}, Rules("crossfit_f1", "higher", 0.7, budget_seconds=15.0), SEEDS, "budget"),
    ],
)
def test_a_race_ends_for_a_reason(means: dict[str, float], rules: Rules, seeds: tuple[str, ...], end: str) -> None:
    course = raced(means, rules, seeds)
    assert course.end == end
    assert course.wanted() == {}
    if end == "budget":
        assert course.spent.runs == 6
    line, *_ = end_lines(course)
    starts = {"best": "best: a", "alike": "best within 20.0 points", "seeds": "not decided", "budget": "not decided"}
    assert line.startswith(starts[end])
    assert f"{course.spent.runs} runs" in line


def test_the_same_runs_give_the_same_decisions_at_whichever_round_one_looks() -> None:
    means = {"a": 50.0, "b": 48.9, "c": 40.0}
    whole = document(raced(means))["rounds"]
    course = Course(list(means), SEEDS, RULES)
    for number in range(len(whole)):
        wanted = course.wanted()
        course.take({name: [run(means[name], place) for place in wanted[name]] for name in wanted}, {})
        assert document(course)["rounds"] == whole[: number + 1]


def test_who_fails_or_has_no_score_is_set_aside_with_the_seed() -> None:
    course = Course(["a", "b", "c"], SEEDS, RULES)
    found = {name: [run(50.0, place) for place in range(3)] for name in "abc"}
    found["b"] = found["b"][:2]
    found["c"][1] = run(50.0, 1, fault="answers nothing at threshold 0")
    made = course.take(found, {"b": "failed with seed=2: planted"})
    assert made.set_aside == {
        "b": "failed with seed=2: planted",
        "c": "answers nothing at threshold 0 with seed=1",
    }
    assert (course.open, course.end) == (("a",), "left")
    assert end_lines(course)[0].startswith(
        "a alone is left, and is not held against those that are set aside: the same command tries failed runs again; "
    )
    assert any("b is set aside: failed with seed=2" in line for line in round_lines(1, made, course))
    states = {row["name"]: row["state"] for row in document(course)["configurations"]}
    assert states == {"a": "open", "b": "set aside", "c": "set aside"}


def test_what_answers_nothing_is_not_tried_again() -> None:
    course = Course(["a", "b"], SEEDS, RULES)
    silent = [run(50.0, place, fault="answers nothing at threshold 0") for place in range(3)]
    course.take({"a": [run(50.0, place) for place in range(3)], "b": silent}, {})
    assert course.end == "left"
    assert "those that are set aside: race.json says why; 6 runs" in end_lines(course)[0]
    course = Course(["a", "b"], SEEDS, RULES)
    course.take({"a": silent, "b": silent}, {})
    assert end_lines(course)[0].startswith("no best: all configurations are set aside: race.json says why; 6 runs")


def test_where_all_fail_nobody_is_the_best() -> None:
    course = Course(["a", "b"], SEEDS, RULES)
    course.take({"a": [], "b": []}, {"a": "failed with seed=0: x", "b": "failed with seed=0: x"})
    assert course.end == "nobody"
    assert end_lines(course)[0].startswith("no best")
    assert read_back(course)["end"] == "nobody"


def test_few_texts_and_other_questions() -> None:
    course = Course(["a", "b"], SEEDS, RULES)
    few = Measured(np.full(9, 50.0), (np.arange(9) % 3).astype(np.intp), "d")
    other = Measured(np.full(9, 60.0), (np.arange(9) % 3).astype(np.intp), "d")
    course.take({"a": [Finished(1, 1.0, few)] * 3, "b": [Finished(1, 1.0, other)] * 3}, {})
    assert course.end == "clusters"
    mixed = Course(["a", "b"], SEEDS, RULES)
    with pytest.raises(ConfigError, match="other questions"):
        mixed.take({name: [run(50.0, place, digest=name) for place in range(3)] for name in "ab"}, {})


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["optimizer.lr=1e-4", "seed=0,1,2"], "one configuration"),
        (["optimizer.lr=1e-4,3e-4", "seed=0"], "one seed"),
        (["optimizer.lr=1e-4,3e-4", "seed=0,1"], "2 seeds"),
        (["optimizer.lr=1e-4,3e-4", "seed=0,1,2", "seeds.init=0,1"], "one kind of seed"),
        (["optimizer.lr=interval(1e-5,1e-3)", "seed=0,1,2"], "no list of values"),
    ],
)
def test_what_is_no_race_is_refused(lines: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_field(lines)


def test_jobs_are_configurations_with_seeds() -> None:
    field = read_field(["a=1,2", "seeds.init=range(3)", "b=x,y"])
    assert field.names == ("a=1 b=x", "a=1 b=y", "a=2 b=x", "a=2 b=y")
    assert field.seeds == ("seeds.init=0", "seeds.init=1", "seeds.init=2")
    assert field.lines[1] == (("a=1", "seeds.init=1", "b=x"), ("a=1", "b=x", "seeds.init=1"))


def test_a_race_is_about_a_score_of_each_question() -> None:
    assert scored_by("gold_nll").better == "lower"
    for metric in ("train_seconds", "nonsense", "test_f1"):
        with pytest.raises(ConfigError, match="score of each dev question"):
            scored_by(metric)


def read_back(course: Course) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(document(course)))
    return found


def test_the_record_is_read_by_others_and_a_damaged_one_is_written_anew(tmp_path: Path) -> None:
    course = raced({"a": 80.0, "b": 20.0})
    write_race(tmp_path, course)
    stored = (tmp_path / SWEEP_RACE).read_bytes()
    found = read_race(tmp_path)
    assert found is not None
    assert found["end"] == "best"
    assert "over: the best is known" in standing_words(found)
    assert races_document([tmp_path])[0]["spent"]["runs"] == course.spent.runs
    assert all(len(line) <= 60 for line in race_lines([tmp_path], 60))
    assert race_notes([tmp_path]) == []
    unequal = tmp_path / "unequal"
    unequal.mkdir()
    write_race(unequal, raced({"good": 80.0, "bad": 20.0, "near": 79.9}, Rules("crossfit_f1", "higher", 1e-9)))
    (note,) = race_notes([unequal])
    assert "unequal is a race: configurations that were dropped have fewer seeds" in note
    for damage in (
        stored[:-20],
        b"[]",
        b'{"configurations": [{"name": 3}]}',
        stored.replace(b'"end": "best"', b'"end": 3'),
    ):
        (tmp_path / SWEEP_RACE).write_bytes(damage)
        assert read_race(tmp_path) is None
        assert race_lines([tmp_path]) == race_notes([tmp_path]) == []
        write_race(tmp_path, course)
        assert (tmp_path / SWEEP_RACE).read_bytes() == stored


def test_a_worker_that_is_behind_leaves_the_record_of_one_that_is_ahead(tmp_path: Path) -> None:
    means = {"a": 50.0, "b": 49.5}
    rules = Rules("crossfit_f1", "higher", 0.7)
    ahead, behind = raced(means, rules), Course(list(means), SEEDS, rules)
    wanted = behind.wanted()
    behind.take({name: [run(means[name], place) for place in wanted[name]] for name in wanted}, {})
    write_race(tmp_path, ahead)
    stored = (tmp_path / SWEEP_RACE).read_bytes()
    write_race(tmp_path, behind)
    assert (tmp_path / SWEEP_RACE).read_bytes() == stored
    edited = stored.replace(b'"leader": "a"', b'"leader": "b"')
    (tmp_path / SWEEP_RACE).write_bytes(edited)
    write_race(tmp_path, behind)
    kept = read_race(tmp_path)
    assert kept is not None
    assert len(kept["rounds"]) == 1


def test_a_race_says_what_it_is_about() -> None:
    rules = Rules("f1", "higher", 1.0, budget_runs=40, budget_seconds=3600)
    (line,) = announced(["a", "b"], 12, rules)
    assert line.startswith("race of 2 configurations for f1 (higher is better)")
    assert line.endswith("at most 12; at most 40 runs, 3,600 seconds")
