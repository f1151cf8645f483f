"""The winner of a sweep: what chance adds to the best of several is taken away, and test questions have their say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown.document import document
from qaexp.comparison.statistics.shrinkage import shrunk
from qaexp.comparison.winner import winner_of
from tests.fixtures.compared import scores, write_grid, write_run
from tests.relations.studies import add_test

LEVELS = {1e-4: 60.0, 3e-4: 62.0, 1e-3: 61.0, 3e-3: 59.0}


@pytest.mark.parametrize("num", [3, 4, 10])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_what_chance_adds_to_the_best_is_taken_away(num: int, spread: float) -> None:
    """Means with a noise of 1: of the bias of the best one a third is left at most, and the error hardly grows."""
    generator = np.random.default_rng(4)
    truth = spread * generator.standard_normal((4000, num))
    means = truth + generator.standard_normal((4000, num))
    best = means.argmax(axis=1)
    at = np.arange(4000), best
    corrected = np.array([shrunk(float(row[place]), row.tolist(), 1.0) for row, place in zip(means, best, strict=True)])
    bias, before = (corrected - truth[at]).mean(), (means[at] - truth[at]).mean()
    assert before > 0.2
    assert abs(bias) < max(before / 3, 0.15)
    assert np.mean((corrected - truth[at]) ** 2) < 1.1 * np.mean((means[at] - truth[at]) ** 2)


def test_order_place_and_unit_change_nothing() -> None:
    means = [3.0, 1.0, 4.5, 2.0]
    found = shrunk(4.5, means, 0.8)
    assert shrunk(4.5, means[::-1], 0.8) == found
    assert shrunk(4.5 + 10, [one + 10 for one in means], 0.8) == pytest.approx(found + 10)
    assert shrunk(45.0, [10 * one for one in means], 80.0) == pytest.approx(10 * found)
    assert shrunk(1.0, [1.0, 1.0, 1.0], 0.5) == 1.0
    assert shrunk(4.5, means, 0.0) == 4.5


def test_the_winner_of_a_sweep_is_expected_lower_than_it_scored(tmp_path: Path, options: Options) -> None:
    comparison = compare([write_grid(tmp_path / "s", levels=LEVELS, seeds=4)], options)
    winner = winner_of(comparison)
    assert winner is not None
    means = [group.metrics["crossfit_f1"].mean for group in comparison.tables[0].groups]
    assert winner.mean == max(means)
    assert np.mean(means) <= winner.corrected < winner.mean
    told = document(comparison)
    assert told["winner"]["corrected"] == winner.corrected
    assert told["winner"]["confirmed"] is None
    assert any(sentence.startswith("With new seeds and questions lr=") for sentence in told["findings"])
    for other in (replace(options, by="seed"), replace(options, metric="train_seconds")):
        assert winner_of(compare([tmp_path / "s"], other)) is None


def test_of_single_runs_nothing_is_said_about_seeds(tmp_path: Path, options: Options) -> None:
    told = document(compare([write_grid(tmp_path / "s", levels=LEVELS, seeds=1)], options))
    assert told["winner"]["corrected_over"] == "questions"
    assert any(sentence.startswith("With new questions lr=") for sentence in told["findings"])


def test_two_settings_have_no_winner_among_many(tmp_path: Path, options: Options) -> None:
    assert winner_of(compare([write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 60}, seeds=3)], options)) is None


@pytest.mark.parametrize(
    ("on_test", "verdict", "says"),
    [
        (30.0, "better", "The test questions confirm that it is better than "),
        (-30.0, "worse", "The test questions contradict: there it is worse than "),
        (1.0, "cannot tell", "The test questions cannot tell it from "),
    ],
)
def test_test_questions_confirm_the_winner_or_do_not(
    tmp_path: Path, options: Options, on_test: float, verdict: str, says: str
) -> None:
    sweep = write_grid(tmp_path / "s", levels={1e-4: 50, 3e-4: 75, 1e-3: 40}, seeds=5)
    for run in sweep.iterdir():
        add_test(run, scores(int(run.name[-1]) + 100, 50 + on_test * ("0.0003" in run.name)))
    told = document(compare([sweep], options))
    assert told["winner"]["confirmed"]["verdict"] == verdict
    assert told["winner"]["confirmed"]["metric"] == "test_f1"
    (sentence,) = (one for one in told["findings"] if one.startswith("The test questions"))
    assert sentence.startswith(says)
    # The next step does not contradict the sentence before it.
    assert told["findings"][-1].startswith("Next: do not use lr=") == (verdict == "worse")


def test_a_seed_that_went_wrong_leaves_nothing_to_expect(tmp_path: Path, options: Options) -> None:
    """Its spread is no chance that averages out, whichever setting it is of; the finding names it."""
    sweep = write_grid(tmp_path / "s", levels={1e-4: 50, 3e-4: 75, 1e-3: 76}, seeds=5)
    broken = sweep / "lr=0.0001,seed=2"
    shutil.rmtree(broken)
    write_run(broken, scores(7, 5), changes={"optimizer.lr": 1e-4, "seed": 2})
    told = document(compare([sweep], options))
    assert told["winner"]["corrected"] is None
    assert not any(sentence.startswith("With new") for sentence in told["findings"])
    assert any("Besides, one of lr=0.0001's five seeds lies far below" in sentence for sentence in told["findings"])
