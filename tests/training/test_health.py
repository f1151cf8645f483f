"""Each flag on records that should raise it, and on records that should not."""

from __future__ import annotations

import math

from qaexp.training.health import find_flags


def steps(losses, *, rates=None, norms=None, features=10):
    return [
        {
            "step": 10 * (i + 1),
            "epoch": 1,
            "loss": loss,
            "learning_rate": (rates or [1e-4] * len(losses))[i],
            "grad_norm": (norms or [1.0] * len(losses))[i],
            "num_features": features * (i + 1),
        }
        for i, loss in enumerate(losses)
    ]


def raised(rows, history=(), **keywords):
    flags = find_flags(rows, history, **{"num_train_features": 40, **keywords})
    assert all(flag.advice.endswith(".") and flag.advice.count(". ") == 0 for flag in flags)
    return {flag.name: flag.step for flag in flags}


FALLING = [6.0 - 0.2 * i for i in range(16)]


def test_a_healthy_training_raises_nothing() -> None:
    history = [{"step": 80, "train_loss": 4.0, "f1": 50.0}, {"step": 160, "train_loss": 3.0, "f1": 60.0}]
    assert raised(steps(FALLING), history) == {}
    assert find_flags([], [], num_train_features=0) == []


def test_overfit_gap_does_not_advise_what_is_done_already() -> None:
    history = [{"step": 1, "train_loss": 2.0, "f1": 60.0}, {"step": 2, "train_loss": 1.0, "f1": 50.0}]
    for keeps_best in (True, False):
        (flag,) = find_flags([], history, num_train_features=4, keeps_best=keeps_best)
        assert ("trainer.keep=best" in flag.advice) is not keeps_best


def test_zero_learning_rate_for_an_epoch() -> None:
    """The notebook's case: the schedule ends, the training goes on. An epoch here is 4 records."""
    ends = [1e-4] * 12 + [0.0] * 4
    assert raised(steps(FALLING, rates=ends)) == {"zero_learning_rate": 130}
    assert raised(steps(FALLING, rates=[1e-4] * 13 + [0.0] * 3)) == {}
    assert raised(steps(FALLING, rates=[0.0] + [1e-4] * 15)) == {}
    assert raised(steps(FALLING, rates=[0.0] * 16)) == {"zero_learning_rate": 10}


def advice(**keywords) -> dict[str, str]:
    rows = steps(FALLING, rates=keywords.pop("rates", None))
    return {flag.name: flag.advice for flag in find_flags(rows, [], num_train_features=40, **keywords)}


def test_a_rate_that_never_came_near_what_was_asked_for() -> None:
    assert raised(steps(FALLING), peak_rate=0.49, schedule={"warmup_ratio": 0.1}) == {"low_learning_rate": 160}
    assert raised(steps(FALLING), peak_rate=0.5) == {}
    assert raised(steps(FALLING), peak_rate=None) == {}
    told = advice(peak_rate=0.002, schedule={"warmup_steps": 1000, "warmup_ratio": None})["low_learning_rate"]
    assert told.startswith(
        "The rate reached 0.2 % of optimizer.lr: schedule.warmup_steps=1000 is more than the 160 steps of the run"
    )
    told = advice(peak_rate=0.1, schedule={"warmup_ratio": 0.5, "total_epochs": 90})["low_learning_rate"]
    assert "(schedule.warmup_ratio=0.5 with schedule.total_epochs=90) is not over when the run ends" in told
    assert "the schedule does not get there" in advice(peak_rate=0.1, schedule={})["low_learning_rate"]


def test_a_rate_of_zero_is_one_flag_that_names_the_warm_up() -> None:
    told = advice(rates=[0.0] * 16, peak_rate=0.0, schedule={"warmup_steps": 1000})
    assert list(told) == ["zero_learning_rate"]
    assert "schedule.warmup_steps=1000 is more than" in told["zero_learning_rate"]
    assert "total_epochs" in advice(rates=[1e-4] * 12 + [0.0] * 4, peak_rate=0.3)["zero_learning_rate"]


def test_not_finite_names_the_step() -> None:
    assert raised(steps([*FALLING[:5], math.nan]))["not_finite"] == 60
    assert raised(steps(FALLING[:4], norms=[1.0, math.inf, 1.0, 1.0])) == {"not_finite": 20}
    assert raised(steps(FALLING[:4], norms=[1.0, None, 1.0, 1.0])) == {}


def test_loss_not_falling_compares_the_ends() -> None:
    assert raised(steps([6.0] * 16)) == {"loss_not_falling": 130}
    assert raised(steps([6.0] * 7)) == {}


def test_overfit_gap_needs_falling_loss_and_falling_f1() -> None:
    def rows(*pairs):
        return [{"step": 100 * i, "train_loss": loss, "f1": f1} for i, (loss, f1) in enumerate(pairs, start=1)]

    assert raised([], rows((3.0, 50.0), (2.0, 60.0), (1.0, 56.0))) == {"overfit_gap": 200}
    assert raised([], rows((3.0, 50.0), (2.0, 60.0), (1.0, 58.0))) == {}
    assert raised([], rows((3.0, 50.0), (2.0, 60.0), (2.5, 56.0))) == {}
    assert raised([], rows((3.0, 50.0))) == {}


def test_loss_spike_and_gradient_explosion_stand_out_from_what_came_before() -> None:
    assert raised(steps([*FALLING[:10], 12.0, *FALLING[10:]])) == {"loss_spike": 110}
    assert raised(steps([12.0, *FALLING])) == {}
    norms = [2.0] * 16
    assert raised(steps(FALLING, norms=[*norms[:8], 30.0, *norms[9:]])) == {"gradient_explosion": 90}
    assert raised(steps(FALLING, norms=[*norms[:8], 15.0, *norms[9:]])) == {}


def test_an_epoch_that_answered_nothing_is_none_to_go_back_to() -> None:
    silent = {"step": 100, "train_loss": 3.0, "f1": 36.0, "has_ans_f1": 0.0, "no_ans_f1": 100.0}
    spoke = {"step": 200, "train_loss": 2.0, "f1": 20.0, "has_ans_f1": 12.0, "no_ans_f1": 34.0}
    assert raised([], [silent, spoke]) == {}
    assert raised([], [{**silent, "has_ans_f1": 1.0}, spoke]) == {"overfit_gap": 100}
