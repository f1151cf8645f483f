"""A training with unpadded attention: which models can, what stays the same, and what cuts and resumes leave alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from qaexp.errors import ConfigError
from qaexp.training import memory
from qaexp.training.attention_choice import choose_attention
from qaexp.training.dropout_masks import DropoutMasks, Rows
from qaexp.training.loop import Trainer
from qaexp.training.masked_dropout import FAMILIES as ABLE
from qaexp.training.masked_dropout import MaskedDropout, use_masks
from tests.fixtures import tiny_training as tiny
from tests.fixtures.checkpoints import FAMILIES

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TESTED = [name for name, config in FAMILIES.items() if config.model_type in ABLE]


def family_model(name: str, *, dropout: float = 0.0) -> torch.nn.Module:
    config = copy.deepcopy(FAMILIES[name])
    for key in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "qa_dropout"):
        if hasattr(config, key):
            setattr(config, key, dropout)
    config.dtype = torch.float32
    torch.manual_seed(0)
    return AutoModelForQuestionAnswering.from_config(config)


def batch() -> tuple[dict[str, torch.Tensor], Rows]:
    lengths = np.array([20, 9, 14])
    ids = torch.randint(5, 1600, (3, 20), generator=torch.Generator().manual_seed(2))
    mask = (torch.arange(20) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}, Rows.of(np.array([8, 1, 30]), lengths, "right")


def logits(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    output = model(**inputs)
    return torch.stack([output.start_logits, output.end_logits])[:, inputs["attention_mask"].bool()]


def with_masks(model: torch.nn.Module, where: Rows) -> torch.nn.Module:
    masks = DropoutMasks(0)
    use_masks(model, masks)
    masks.begin(0, where)
    return model


def test_the_presets_that_can_are_tested() -> None:
    assert set(TESTED) == {"bert", "distilbert", "roberta", "electra"}


@pytest.mark.parametrize("name", TESTED)
def test_evaluation_gives_the_same_bits(name: str) -> None:
    inputs, where = batch()
    plain, ours = family_model(name, dropout=0.1).eval(), with_masks(family_model(name, dropout=0.1), where).eval()
    assert torch.equal(logits(plain, inputs), logits(ours, inputs))
    assert list(plain.state_dict()) == list(ours.state_dict())
    assert plain.config.to_dict() == ours.config.to_dict()


@pytest.mark.parametrize("name", TESTED)
def test_every_dropout_of_a_family_is_replaced_and_drops(name: str) -> None:
    inputs, where = batch()
    model = with_masks(family_model(name, dropout=0.1), where).train()
    assert not any(isinstance(module, torch.nn.Dropout) for module in model.modules())
    # Nothing else draws: torch's generator has no say.
    torch.manual_seed(1)
    first = logits(model, inputs)
    torch.manual_seed(2)
    masks = next(module.masks for module in model.modules() if isinstance(module, MaskedDropout))
    masks.begin(0, where)
    assert torch.equal(first, logits(model, inputs))
    masks.begin(1, where)
    assert not torch.equal(first, logits(model, inputs))


@pytest.mark.parametrize("name", TESTED)
def test_a_feature_alone_has_the_logits_that_it_has_in_a_batch(name: str) -> None:
    inputs, where = batch()
    model = with_masks(family_model(name, dropout=0.1).double(), where).train()
    together = logits(model, inputs)
    masks = next(module.masks for module in model.modules() if isinstance(module, MaskedDropout))
    parts = []
    for number, (_, length) in enumerate(where.spans):
        masks.begin(0, Rows((where.indices[number],), ((0, length),)))
        parts.append(logits(model, {key: value[[number], :length] for key, value in inputs.items()}))
    torch.testing.assert_close(torch.cat(parts, 1), together, rtol=0, atol=1e-12)


def test_the_loss_of_a_training_is_that_of_plain_attention_without_dropout() -> None:
    plain, ours = (tiny.losses(*tiny.start(attention=word)) for word in ("plain", "unpadded"))
    np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_bytes_and_another_seed_others(precision: str) -> None:
    def run(seed: int) -> str:
        torch.manual_seed(np.random.default_rng().integers(2**31))
        model = tiny.make_model(dropout=0.1)
        trainer, state = tiny.start(model, attention="unpadded", precision=precision, dropout_seed=seed)
        tiny.train(trainer, state)
        return tiny.digest(state.model)

    assert run(0) == run(0)
    assert run(0) != run(1)


def test_micro_batches_that_are_cut_in_halves_make_the_same_update() -> None:
    """With masks of features, also where there is dropout; torch's own masks depend on the batch."""
    found = []
    for parts in (1, 2, 3):
        trainer, state = tiny.start(tiny.make_model(dropout=0.1), attention="unpadded")
        state.num_parts = parts
        found.append(tiny.losses(trainer, state))
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=0, atol=1e-5)


def test_memory_that_runs_out_changes_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tiny.losses(*tiny.start(tiny.make_model(dropout=0.1), attention="unpadded"))
    trainer, state = tiny.start(tiny.make_model(dropout=0.1), attention="unpadded")
    forward, calls = state.forward, []

    class Short(torch.nn.Module):
        def forward(self, **inputs: torch.Tensor) -> object:
            calls.append(len(inputs["input_ids"]))
            if len(inputs["input_ids"]) > 4:
                raise RuntimeError("CUDA out of memory. Tried to allocate")
            return forward(**inputs)

    state.forward = Short()
    monkeypatch.setattr(memory, "peak_memory_mib", lambda _: 1.0)
    np.testing.assert_allclose(tiny.losses(trainer, state), expected, rtol=0, atol=1e-5)
    assert max(calls[1:]) == 4


def test_it_is_resumed_with_the_same_bytes() -> None:
    def fresh() -> tuple[Trainer, object]:
        return tiny.start(tiny.make_model(dropout=0.1), attention="unpadded")

    trainer, state = fresh()
    records = trainer.train(state)
    for record in records:
        tiny.acknowledge(record, state)
        if state.step == 3:
            break
    stored = copy.deepcopy(state.state_dict())
    for record in records:
        tiny.acknowledge(record, state)
    other_trainer, other = fresh()
    other.load_state_dict(stored)
    for _ in other_trainer.train(other):
        pass
    assert tiny.digest(other.model) == tiny.digest(state.model)


@pytest.mark.parametrize(
    ("settings", "device", "family", "expected"),
    [
        ({}, CPU, "bert", "unpadded"),
        ({"precision": "bf16"}, CPU, "roberta", "unpadded"),
        ({"precision": "fp32"}, CPU, "bert", "plain"),
        ({"precision": "fp32", "attention": "unpadded"}, CPU, "bert", "unpadded"),
        ({"attention": "plain"}, CPU, "bert", "plain"),
        ({}, CPU, "deberta-v2", "plain"),
        ({}, CPU, "modernbert", "plain"),
        ({}, GPU, "bert", "plain"),
        ({"compile": True}, CPU, "bert", "plain"),
        ({"gradient_checkpointing": True}, CPU, "bert", "plain"),
    ],
)
def test_what_auto_is(settings: dict[str, object], device: torch.device, family: str, expected: str) -> None:
    assert choose_attention(Trainer(**settings).settings, device, lambda: {"model_type": family}).word == expected


@pytest.mark.parametrize(
    ("settings", "device", "family", "problem"),
    [
        ({}, CPU, "deberta-v2", "it is not made for a deberta-v2 model"),
        ({}, GPU, "bert", "it is made for a CPU, and the device is cuda"),
        ({"compile": True}, CPU, "bert", "it does not go with torch.compile"),
        ({"gradient_checkpointing": True}, CPU, "bert", "it does not go with gradient checkpointing"),
    ],
)
def test_by_name_it_is_refused_where_it_cannot_be(
    settings: dict[str, object], device: torch.device, family: str, problem: str
) -> None:
    trainer = Trainer(attention="unpadded", **settings)
    with pytest.raises(ConfigError, match=f"trainer.attention=unpadded, but {problem}.*; set trainer.attention=auto"):
        choose_attention(trainer.settings, device, lambda: {"model_type": family})


def test_a_decoder_is_no_case_for_it() -> None:
    """It looks back only, and unpadded attention looks both ways."""
    decoder = {"model_type": "bert", "is_decoder": True}
    found = choose_attention(Trainer().settings, CPU, lambda: decoder)
    assert found.word == "plain"
    assert "not made for decoders" in found.why
    with pytest.raises(ConfigError, match="not made for decoders"):
        choose_attention(Trainer(attention="unpadded").settings, CPU, lambda: decoder)
