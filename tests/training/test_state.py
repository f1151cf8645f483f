"""A training that stops between two steps and goes on elsewhere gives the same bytes; one that diverges stops."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

from qaexp.errors import DivergedError
from qaexp.training.records import EvaluationDue
from qaexp.training.state import COUNTERS
from tests.fixtures import tiny_training as tiny


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adafactor", "muon"])
def test_a_copied_state_continues_with_the_same_bytes(optimizer) -> None:
    """Stopped in the middle of epoch 1, at its end before and after the evaluation, and in epoch 2."""

    def begin(seed):
        return tiny.start(
            tiny.make_model(seed=seed, dropout=0.1),
            optimizer=optimizer,
            gradient_accumulation_steps=2,
            log_every=2,
            plan=tiny.fixed_plan(4),
        )

    trainer, state = begin(0)
    records, copies = [], []
    for record in trainer.train(state):
        records.append(record)
        tiny.acknowledge(record, state)
        copies.append(copy.deepcopy(state.state_dict()))
    assert len(records) == 7
    for place, stopped in enumerate(copies):
        other_trainer, other = begin(5)  # other weights, so that only the copied ones can give the same end
        other.load_state_dict(stopped)
        torch.manual_seed(place)
        assert list(other_trainer.train(other)) == records[place + 1 :]
        assert tiny.digest(other.model) == tiny.digest(state.model)


def test_counters_are_json_and_all_numbers_of_the_state() -> None:
    trainer, state = tiny.start()
    tiny.train(trainer, state)
    counters = state.state_dict()["counters"]
    assert json.loads(json.dumps(counters)) == counters
    assert set(counters) == set(COUNTERS)
    plain = {name for name in state.__slots__ if isinstance(getattr(state, name), int)}
    assert plain == {*COUNTERS, "stored_step"}


def test_snapshot_is_a_copy() -> None:
    trainer, state = tiny.start()
    before, kept = tiny.digest(state.model), state.snapshot()
    tiny.train(trainer, state)
    assert tiny.digest(state.model) != before
    state.model.load_state_dict(kept)
    assert tiny.digest(state.model) == before


def test_padding_share_is_that_of_the_computed_tokens() -> None:
    trainer, state = tiny.start(epochs=1)
    assert state.padding_share == 0.0
    tiny.train(trainer, state)
    lengths = state.setup.feed.lengths
    cells = sum(len(batch) * lengths[batch].max() for batch in state.setup.feed.epoch(0))
    assert state.num_padded_tokens == cells
    assert state.padding_share == pytest.approx(100 * (1 - lengths.sum() / cells))


def poisoned(trainer, state, step):
    """Train, with one weight made NaN after a step; every evaluation that the loop allowed."""
    seen = []
    for record in trainer.train(state):
        if isinstance(record, EvaluationDue):
            seen.append(record.step)
        if record.step == step:
            with torch.no_grad():
                state.model.qa_outputs.bias[0] = math.nan
    return seen


@pytest.mark.parametrize("log_every", [1, 3])
def test_nan_is_named_by_its_step(log_every) -> None:
    trainer, state = tiny.start(log_every=log_every, optimizer=slow_descent)
    with pytest.raises(DivergedError, match=r"at step 4 of 10 .*learning rate 0\.00025") as caught:
        poisoned(trainer, state, 3)
    assert caught.value.exit_code == 6
    assert state.step == 4, "it is seen at the step, however seldom records are due"
    assert caught.value.step == 4
    assert caught.value.epoch == 1
    assert list(caught.value.features) == list(state.setup.feed.epoch(0)[3])


def slow_descent(groups, lr=2.5e-4):
    return torch.optim.SGD(groups, lr=lr)


def test_nan_never_reaches_an_evaluation() -> None:
    trainer, state = tiny.start(log_every=1000, epochs=4)
    with pytest.raises(DivergedError, match=r"at step 6 of 20 "):
        poisoned(trainer, state, 5)
    assert state.evaluated_step == 5


def test_a_gradient_that_is_not_finite_is_found_though_the_loss_is() -> None:
    trainer, state = tiny.start()
    state.model.qa_outputs.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(DivergedError, match="at step 1 of 10"):
        tiny.train(trainer, state)


def test_nan_in_one_micro_batch_of_a_step_is_found() -> None:
    """Accumulation cannot hide it."""
    trainer, state = tiny.start(plan=tiny.fixed_plan(2), gradient_accumulation_steps=4, log_every=100)
    calls = iter(range(100))
    state.model.register_forward_hook(lambda *_: spoil(_[-1]) if next(calls) == 5 else None)
    with pytest.raises(DivergedError, match="at step 2 of 10"):
        tiny.train(trainer, state)


def spoil(output):
    output.start_logits = output.start_logits * math.nan
    return output


def test_a_rate_that_is_far_too_high_is_named() -> None:
    trainer, state = tiny.start(optimizer=wild_descent, max_grad_norm=None)
    with pytest.raises(DivergedError, match=r"learning rate 1e\+30; lower optimizer\.lr"):
        tiny.train(trainer, state)


def wild_descent(groups, lr=1e30):
    return torch.optim.SGD(groups, lr=lr)
