"""Between two log lines the host never waits for the device: not in any optimizer, format or family of models."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from qaexp.evaluation.predict import predict_logits
from qaexp.model import LoadedModel
from qaexp.training.step import take_step
from tests.fixtures import tiny_training as tiny
from tests.fixtures.checkpoints import FAMILIES, tiny_tokenizer
from tests.fixtures.devices import IS_STAND_IN, needs_device, needs_stand_in, nothing_waits
from tests.stand_in.traffic import watched

pytestmark = needs_device
STEPS = 3
# DeBERTa's own code copies a constant in each forward pass, and takes others from the host.
OTHERS = [family for family in FAMILIES if family != "deberta"]


def model_of(family: str) -> LoadedModel:
    torch.manual_seed(0)
    return LoadedModel(AutoModelForQuestionAnswering.from_config(copy.deepcopy(FAMILIES[family])), tiny_tokenizer(), {})


def copies_of_steps(state, *, max_grad_norm: float | None = 1.0) -> int:
    """Take the first steps of a training, without a wait; how often something was copied to the stand-in."""
    with nothing_waits() as traffic:
        for _ in range(STEPS):
            take_step(state, max_grad_norm=max_grad_norm)
    return traffic.to_device.total()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_a_step_waits_for_nothing_and_copies_once(optimizer: str, precision: str) -> None:
    _, state = tiny.start(device="auto", precision=precision, optimizer=optimizer)
    assert copies_of_steps(state) == (STEPS if IS_STAND_IN else 0)


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({"gradient_accumulation_steps": 2}, 2),
        ({"gradient_checkpointing": True}, 1),
        ({"max_grad_norm": None}, 1),
    ],
)
def test_a_step_copies_once_a_micro_batch(settings, copies: int) -> None:
    _, state = tiny.start(device="auto", plan=tiny.fixed_plan(4), **settings)
    made = copies_of_steps(state, max_grad_norm=settings.get("max_grad_norm", 1.0))
    assert made == (STEPS * copies if IS_STAND_IN else 0)


@pytest.mark.parametrize("family", OTHERS)
def test_no_family_reads_its_mask(family: str) -> None:
    _, state = tiny.start(model_of(family), device="auto")
    copies_of_steps(state)


@pytest.mark.parametrize(("batch_size", "is_given"), [(1, False), (8, True)])
def test_the_model_gets_a_mask_only_where_something_is_padding(batch_size: int, is_given: bool) -> None:
    _, state = tiny.start(device="auto", plan=tiny.fixed_plan(batch_size))
    given = []
    state.model.register_forward_pre_hook(lambda *told: given.append("attention_mask" in told[-1]), with_kwargs=True)
    copies_of_steps(state)
    predict_logits(
        state.model,
        state.setup.feed.features,
        pad_token_id=0,
        padding_side="right",
        with_token_types=True,
        token_budget=1 if batch_size == 1 else 10_000,
    )
    assert set(given) == {is_given}
    assert len(given) > STEPS


@needs_stand_in
def test_torchs_adafactor_and_deberta_are_known_to_wait() -> None:
    """If one of them no longer does, docs/architecture.md and the list above are out of date."""
    for begun, places in (
        (tiny.start(device="auto", optimizer="adafactor"), "accelerate/optimizer.py"),
        (tiny.start(model_of("deberta"), device="auto"), "modeling_deberta_v2.py"),
    ):
        with watched() as traffic:
            take_step(begun[1], max_grad_norm=1.0)
        assert traffic.waits.total() > 0
        assert all(places in place for place in traffic.waits), traffic.waits


@needs_stand_in
@pytest.mark.parametrize("log_every", [1, 4])
def test_a_training_waits_once_a_record_and_evaluation(log_every: int) -> None:
    trainer, state = tiny.start(device="auto", log_every=log_every)
    with watched() as traffic:
        records = list(trainer.train(state))
    # Records of the training's end and of an epoch's end are read with the sums of the evaluation.
    assert len(records) == {1: 10, 4: 3}[log_every] + 2
    assert traffic.waits.total() == len(records)
    assert all("state.py" in place for place in traffic.waits), traffic.waits


@needs_stand_in
@pytest.mark.parametrize("token_budget", [100, 400])
def test_an_evaluation_copies_twice_and_waits_once_a_batch(token_budget: int) -> None:
    loaded = tiny.make_model()
    features = tiny.make_features(loaded)
    _, state = tiny.start(loaded, features, device="auto")
    batches = []
    with watched() as traffic:
        predict_logits(
            state.model,
            features,
            pad_token_id=0,
            padding_side="right",
            with_token_types=True,
            token_budget=token_budget,
            seen=lambda done, _: batches.append(done),
        )
    assert len(batches) > 2
    assert traffic.to_device.total() == traffic.to_host.total() == traffic.waits.total() == len(batches)
    assert traffic.host_scalars == {}


@pytest.mark.parametrize("family", OTHERS)
def test_batches_with_and_without_padding_give_the_logits_of_the_cpu(family: str) -> None:
    """Without padding the model gets no mask, with padding one that it does not read."""
    loaded = model_of(family)
    features = tiny.make_features(loaded)
    settings = {
        "pad_token_id": 0,
        "padding_side": "right",
        "with_token_types": loaded.with_token_types,
        "token_budget": 200,
    }
    expected = predict_logits(loaded.model, features, **settings)
    _, state = tiny.start(loaded, features, device="auto", precision="fp32")
    found = predict_logits(state.model, features, **settings)
    lengths = np.sort(features.lengths)
    assert 0 < (np.diff(lengths) == 0).sum() < len(lengths) - 1, "some batches are padded, and some are not"
    np.testing.assert_allclose(found.start, expected.start, atol=1e-4)
    np.testing.assert_allclose(found.end, expected.end, atol=1e-4)
