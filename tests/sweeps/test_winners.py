"""The best trials of a search, and what is said of one that answers nothing."""

from __future__ import annotations

from qaexp.sweeps.optuna.winners import Found, best_lines


def found(value: float, *run_ids: str, other: float | None = None) -> Found:
    return Found([value] if other is None else [value, other], {"optimizer.lr": "0.001"}, run_ids)


def test_the_best_follows_the_direction() -> None:
    trials = [found(2.0, "a"), found(1.0, "b"), found(3.0, "c")]
    assert best_lines(trials, {"train_loss": "minimize"}, ()) == [
        "best: train_loss 1.000 (minimize) with optimizer.lr=0.001"
    ]
    assert "crossfit_f1 3.0 (maximize)" in best_lines(trials, {"crossfit_f1": "maximize"}, ())[0]
    assert best_lines([], {"f1": "maximize"}, ()) == []


def test_ties_are_one_line_and_name_a_trial_that_answers() -> None:
    (line,) = best_lines([found(37.0, "a"), found(37.0, "b"), found(20.0, "c")], {"f1": "maximize"}, {"a"})
    assert line.endswith("optimizer.lr=0.001; 1 more with the same value")


def test_a_winner_that_answers_nothing_is_told() -> None:
    trials = [found(37.0, "a", "b"), found(20.0, "c", "d"), found(36.0, "e", "f")]
    lines = best_lines(trials, {"crossfit_f1": "maximize"}, {"a", "b", "f"})
    assert "it answers nothing in 2 of 2 runs (null_collapse)" in lines[0]
    assert "the share of questions without an answer" in lines[0]
    assert lines[1].startswith("best that answers: crossfit_f1 20.0")
    assert len(best_lines(trials, {"f1": "maximize"}, {"a", "c", "e"})) == 1


def test_with_several_objectives_each_trial_that_no_other_beats_has_a_line() -> None:
    trials = [found(37.0, "a", other=9.0), found(20.0, "b", other=3.0)]
    lines = best_lines(trials, {"f1": "maximize", "train_seconds": "minimize"}, {"a"})
    assert [line.startswith("best: f1 ") for line in lines] == [True, True]
    assert ["answers nothing" in line for line in lines] == [True, False]
