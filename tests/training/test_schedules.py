"""Learning rates against those of transformers."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from qaexp.errors import ConfigError
from qaexp.training.schedules import Horizon, constant, cosine, linear

STEPS = [7, 5, 6]


def horizon(epochs=3, max_steps=None):
    return Horizon(lambda epoch: STEPS[epoch % 3], epochs=epochs, max_steps=max_steps)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (linear, get_linear_schedule_with_warmup),
        (cosine, get_cosine_schedule_with_warmup),
        (constant, lambda optimizer, warmup, total: get_constant_schedule_with_warmup(optimizer, warmup)),
    ],
)
@pytest.mark.parametrize("warmup", [0, 4])
def test_rates_equal_those_of_transformers(ours, theirs, warmup) -> None:
    factor = ours(horizon(), warmup_steps=warmup)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = theirs(optimizer, warmup, 18)
    for step in range(18):
        assert factor(step) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12), step
        optimizer.step()
        scheduler.step()


def test_a_schedule_may_end_before_the_training() -> None:
    factor = linear(horizon(), total_epochs=2)
    assert factor(11) == pytest.approx(1 / 12)
    assert [factor(step) for step in range(12, 18)] == [0.0] * 6


def test_a_ratio_is_of_the_steps_of_the_schedule() -> None:
    factor = linear(horizon(), total_epochs=2, warmup_ratio=0.3)  # 0.3 of 12 steps, rounded up
    assert [factor(step) for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]


def test_horizon_counts_epochs_of_unequal_length() -> None:
    assert [horizon(epochs).total for epochs in range(5)] == [0, 7, 12, 18, 25]
    assert horizon(epochs=100_000, max_steps=20).total == 20
    assert horizon(max_steps=9).steps(1) == 7
    assert horizon().steps(1.5) == 9


def test_contradictions_and_settings_without_effect_are_refused() -> None:
    with pytest.raises(ConfigError, match="contradict"):
        linear(horizon(), warmup_ratio=0.1, warmup_steps=3)
    with pytest.raises(ConfigError, match=r"schedule\.total_epochs=2 has no effect"):
        constant(horizon(), total_epochs=2)
