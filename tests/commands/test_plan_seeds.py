"""`qaexp plan-seeds`: the plan is what `qaexp compare` says of the pilot, and who follows it finds what they should."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qaexp.commands.plan_seeds import _detected
from qaexp.comparison.seed_plan import Pilot, plan
from qaexp.comparison.statistics.paired import paired_groups
from qaexp.comparison.statistics.planning import PlannedTest, Spread
from tests.fixtures import tiny_run
from tests.fixtures.compared import scores, write_grid, write_run

KNOWN = ("--seed-sd", "1.5", "--question-se", "0.4", "--questions", "500", "--texts", "100")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    write_grid(folder / "two", levels={3e-4: 50, 1e-3: 51}, seeds=4)
    return folder


def planned(folder: Path, *words: str) -> dict[str, Any]:
    done = tiny_run.call(folder, "plan-seeds", *words, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.parametrize("intervals", ["anytime", "fixed"])
def test_of_one_contrast_the_plan_is_what_compare_says(pilot: Path, intervals: str) -> None:
    for points in ("3", "6"):
        done = tiny_run.call(pilot, "compare", "two", "--relevant", points, "--intervals", intervals, "--json")
        (contrast,) = json.loads(done.out)["contrasts"]
        more = contrast[contrast["metric"]]["more_seeds_needed"]
        plan = planned(pilot, "two", "--detect", points, "--intervals", intervals)
        assert more is not None
        # To tell takes as many seeds as to detect, or more; the two estimate what questions leave to doubt in two ways.
        assert plan["seeds_needed"] <= 4 + more + 1
        assert {row["seeds"]: row["detectable"] for row in plan["rows"]}[plan["seeds_needed"]] <= float(points)


def test_names_places_and_order_change_nothing(pilot: Path, tmp_path: Path) -> None:
    for number, run in enumerate(sorted((pilot / "two").iterdir(), reverse=True)):
        shutil.copytree(run, tmp_path / "other" / f"r{number}")
    assert planned(tmp_path, "other") == planned(pilot, "two")


def test_more_is_never_easier(pilot: Path) -> None:
    """A smaller difference, more power, more settings or the freedom to look take as many seeds or more."""
    base = planned(pilot, "two", "--detect", "5", "--intervals", "fixed")["seeds_needed"]
    for words in (
        ("--detect", "4", "--intervals", "fixed"),
        ("--detect", "5", "--intervals", "fixed", "--power", "0.95"),
        ("--detect", "5", "--intervals", "fixed", "--settings", "5"),
        ("--detect", "5"),
    ):
        assert planned(pilot, "two", *words)["seeds_needed"] > base


@pytest.mark.parametrize("any_look", [True, False])
def test_a_comparison_with_the_planned_seeds_finds_the_difference(any_look: bool) -> None:
    """Seeds move a difference by 2 points and questions by 0.5: normal scores of 40 texts with one question each."""
    spread, points = Spread(2.0, 0.5, 39.0), 2.5
    num = PlannedTest(0.95, 0.8, any_look).seeds_for(spread, points)
    assert num is not None
    generator, found = np.random.default_rng(3), 0
    for _ in range(400):
        of_questions = 0.5 * np.sqrt(40) * generator.standard_normal(40)
        table = points + of_questions + 2.0 * generator.standard_normal((num, 1))
        one = paired_groups(np.zeros((num, 40)), table, np.arange(40))
        found += (one.at_any_look() if any_look else one).p <= 0.05
    assert 0.74 <= found / 400 <= 0.92


def test_without_runs_and_in_words(tmp_path: Path) -> None:
    plan = planned(tmp_path, *KNOWN, "--detect", "2")
    assert plan["seed_sd_of_difference"] == pytest.approx(1.5 * 2**0.5)
    done = tiny_run.call(tmp_path, "plan-seeds", *KNOWN, "--detect", "2")
    assert done.out.startswith(f"{plan['seeds_needed']} seeds of each setting find a difference of 2.0 points.\n")
    assert max(map(len, done.out.splitlines()[4:])) <= 80
    assert sum(line.endswith("<- enough") for line in done.out.splitlines()) == 1


def test_where_no_number_of_seeds_is_enough_the_questions_are_said(tmp_path: Path) -> None:
    plan = planned(tmp_path, *KNOWN, "--detect", "1")
    assert plan["seeds_needed"] is None
    seeds, questions = plan["more_needed"]["seeds"], plan["more_needed"]["questions"]
    assert questions > 500
    told = tiny_run.call(tmp_path, "plan-seeds", *KNOWN, "--detect", "1").out.splitlines()[0]
    assert told.startswith("No number of seeds finds 1.0 points on these questions")
    assert f"{seeds} seeds and about {questions:,} questions" in told
    never = tiny_run.call(tmp_path, "plan-seeds", *KNOWN, "--detect", "0.001").out
    assert never.startswith("Not even 100 seeds and a hundred times as many questions find")


def test_what_is_just_not_detected_has_digits_that_say_so() -> None:
    spread = Spread(1.0, 0.1, 24.0)
    made = plan(Pilot(spread, "f1", 2, 100, "known spreads"), 1.0, 0.8, any_look=True)
    assert [_detected(points, made, 1) for points in (0.96, 1.0, 1.037, 1.0004, 1.26)] == [
        "1.0", "1.0", "1.04", "1.0004", "1.3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give the runs of a pilot"),
        (("--seed-sd", "1"), "--question-se, --questions, --texts are missing"),
        (("run", *KNOWN), "the pilot's runs say that"),
        ((*KNOWN, "--detect", "0"), "--detect 0: no number of seeds finds that"),
        ((*KNOWN, "--power", "1"), "--power 1: it is a probability between 0 and 1"),
        ((*KNOWN, "--seed-sd", "nan"), "is not finite"),
        ((*KNOWN, "--seed-sd", "1e308"), "--seed-sd 1e+308: two scores are never more than 100 points apart"),
        ((*KNOWN, "--question-se", "101"), "--question-se 101: two scores are never more than 100 points apart"),
        ((*KNOWN, "--texts", "3"), "is below 4"),
        (("run",), "the pilot tells nothing about seeds"),
        (("nothing",), "nothing there"),
        (("run", "--metric", "train_seconds"), "--metric train_seconds: it is not tested"),
    ],
    ids=str,
)
def test_what_cannot_be_planned_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    write_run(tmp_path / "run", scores(0, 60))
    done = tiny_run.call(tmp_path, "plan-seeds", *words)
    assert done.code == 2
    assert done.out == ""
    assert says in done.err
