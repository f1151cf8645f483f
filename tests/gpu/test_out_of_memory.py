"""Too little memory on the device: batches are cut for the same update, or the run says what it needs."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from qaexp.errors import OutOfMemoryError
from qaexp.evaluation.predict import predict_logits
from qaexp.training.peak import peak_memory_mib
from tests.fixtures import tiny_training as tiny
from tests.fixtures.devices import ACCELERATOR, IS_CUDA, IS_STAND_IN, needs_device, needs_stand_in, room

pytestmark = needs_device
# On CUDA, enough to ask for many of the large blocks that torch keeps.
NUM_FEATURES = 4096 if IS_CUDA else 256


def start():
    """A training of one large micro-batch a step."""
    loaded = tiny.make_model()
    features = tiny.make_features(loaded, NUM_FEATURES, shortest=30, longest=40)
    # Plain descent: AdamW makes a large step of a gradient that is all rounding.
    return tiny.start(
        loaded,
        features,
        device="auto",
        precision="fp32",
        plan=tiny.fixed_plan(NUM_FEATURES),
        optimizer="sgd",
        epochs=3,
    )


def memory_of(work) -> float:
    """How much more than before is in use at the peak of some work, in MiB."""
    gc.collect()
    counter = torch.get_device_module(ACCELERATOR)
    counter.reset_peak_memory_stats()
    before = peak_memory_mib(ACCELERATOR)
    work()
    return peak_memory_mib(ACCELERATOR) - before


def test_a_step_that_does_not_fit_is_cut_for_the_same_update(caplog: pytest.LogCaptureFixture) -> None:
    trainer, state = start()
    whole: list[float] = []
    needed = memory_of(lambda: whole.extend(tiny.losses(trainer, state)))
    assert needed > 10
    trainer, other = start()
    with room(0.7 * needed):
        cut = tiny.losses(trainer, other)
    assert other.num_parts >= 2
    assert f"its micro-batches are cut into {other.num_parts} parts" in caplog.text
    assert "out of memory" in caplog.text
    assert cut == pytest.approx(whole, abs=1e-5 if IS_STAND_IN else 1e-4)
    for name, value in other.snapshot().items():
        torch.testing.assert_close(value, state.snapshot()[name], rtol=0, atol=1e-6 if IS_STAND_IN else 1e-5)


@needs_stand_in  # a GPU still has room inside of the blocks that torch keeps
def test_one_feature_that_does_not_fit_is_said() -> None:
    trainer, state = start()
    with (
        room(0.05),
        pytest.raises(OutOfMemoryError, match=r"step 1 does not fit .*one feature of") as caught,
    ):
        tiny.losses(trainer, state)
    assert caught.value.exit_code == 7
    assert f"the memory of {ACCELERATOR.type}" in str(caught.value)


@needs_stand_in
def test_an_optimizer_that_does_not_fit_leaves_the_weights_alone() -> None:
    """Gradients fit, and so does the first running mean; then memory runs out, before any weight has changed."""
    loaded = tiny.make_model()
    features = tiny.make_features(loaded, 4, shortest=5, longest=5)
    trainer, state = tiny.start(loaded, features, device="auto", precision="fp32", plan=tiny.fixed_plan(1))
    before = tiny.digest(state.model)
    weights = sum(parameter.numel() * 4 for parameter in state.model.parameters()) / 2**20
    with room(2.5 * weights), pytest.raises(OutOfMemoryError, match="alone is too much"):
        tiny.losses(trainer, state)
    assert tiny.digest(state.model) == before
    assert len(state.optimizer.state) > 0, "it was the optimizer that did not fit"


def test_an_evaluation_that_does_not_fit_is_halved() -> None:
    _, state = start()
    features = state.setup.feed.features
    settings = {"pad_token_id": 0, "padding_side": "right", "with_token_types": True, "token_budget": 10**6}
    whole = []
    needed = memory_of(lambda: whole.append(predict_logits(state.model, features, **settings)))
    batches = []
    with room(0.6 * needed):
        found = predict_logits(state.model, features, seen=lambda done, _: batches.append(done), **settings)
    assert len(batches) > 1
    np.testing.assert_allclose(found.start, whole[0].start, atol=1e-5)


@needs_stand_in
def test_one_feature_that_does_not_fit_into_an_evaluation_is_said() -> None:
    _, state = start()
    with room(0.001), pytest.raises(OutOfMemoryError, match="evaluation: one feature of"):
        predict_logits(
            state.model, state.setup.feed.features, pad_token_id=0, padding_side="right", with_token_types=True
        )
