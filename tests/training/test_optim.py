"""Parameter groups of every family of models, layer-wise rates, frozen layers, and Muon beside AdamW."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from transformers import (
    AutoModelForQuestionAnswering,
)

from qaexp.errors import ConfigError
from qaexp.model.layers import depths, freeze
from qaexp.training.optim import Muon, make_optimizer, parameter_groups
from tests.fixtures import tiny_training as tiny
from tests.fixtures.checkpoints import FAMILIES


@pytest.fixture(params=list(FAMILIES))
def model(request):
    return AutoModelForQuestionAnswering.from_config(copy.deepcopy(FAMILIES[request.param]))


def test_depths_count_from_the_head_in_every_family(model) -> None:
    """Head 0, top layer 1, first layer 3, embeddings 4; told apart by what the families themselves call them."""
    for name, depth in depths(model).items():
        if name.startswith(("qa_outputs", "classifier", "head.")) or "final_norm" in name:
            expected = 0
        elif "embed" in name or name == "deberta.encoder.LayerNorm.weight" or name == "deberta.encoder.LayerNorm.bias":
            expected = 4
        else:
            numbers = [part for part in name.split(".") if part.isdigit()]
            assert len(numbers) == 1, name
            expected = 3 - int(numbers[0])
        assert depth == expected, name


def test_rates_are_powers_of_the_decay(model) -> None:
    groups = parameter_groups(model, lr=2.0, weight_decay=0.1, layer_decay=0.5)
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert rate_of[id(parameter)] == 2.0 * 0.5 ** depths(model)[name], name
    assert {group["lr"] for group in groups} == {2.0, 1.0, 0.5, 0.25, 0.125}


def test_groups_hold_each_parameter_once_and_spare_biases_and_norms(model) -> None:
    groups = parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=1.0)
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(id(p) for p in model.parameters())
    spared = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    for name, parameter in model.named_parameters():
        is_bias_or_norm = name.endswith(".bias") or "norm" in name.lower()
        assert (id(parameter) in spared) == is_bias_or_norm, name


def test_muon_gets_the_matrices_inside_the_layers(model) -> None:
    groups = parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=0.9)
    hidden = {id(p) for group in groups if group["hidden_matrices"] for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in hidden) == (parameter.ndim == 2 and 0 < depths(model)[name] < 4), name


def test_frozen_tensors_keep_their_bytes(model) -> None:
    freeze(model, embeddings=False, layers=2)
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = make_optimizer(functools.partial(torch.optim.AdamW, lr=0.1, weight_decay=0.1), model, layer_decay=1.0)
    for _ in range(3):
        output = model(input_ids=torch.arange(3, 11)[None], attention_mask=torch.ones(1, 8, dtype=torch.long))
        (output.start_logits[0, 1] - output.end_logits[0, 2]).backward()
        optimizer.step()
        optimizer.zero_grad()
    depth_of = depths(model)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (depth_of[name] > 1), name


def test_trainer_keeps_frozen_tensors() -> None:
    loaded = tiny.make_model(freeze_layers=1)
    before = {name: value.clone() for name, value in loaded.model.named_parameters()}
    trainer, state = tiny.start(loaded, max_steps=3)
    tiny.train(trainer, state)
    changed = {name for name, value in loaded.model.named_parameters() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "layer.1." in name or "qa_outputs" in name}


def test_layer_decay_reaches_the_optimizer_and_the_schedule() -> None:
    trainer, state = tiny.start(layer_decay=0.5, schedule=lambda horizon: lambda step: 0.1)
    records, _ = tiny.train(trainer, state)
    rates = sorted({group["lr"] for group in state.optimizer.param_groups}, reverse=True)
    assert rates == pytest.approx([1e-4, 5e-5, 2.5e-5, 1.25e-5])
    assert records[0].learning_rate == pytest.approx(1e-4)


def test_muon_updates_as_its_two_parts_do() -> None:
    def weights():
        torch.manual_seed(0)
        return torch.nn.Parameter(torch.randn(6, 4)), torch.nn.Parameter(torch.randn(5))

    matrix, vector = weights()
    both = Muon(
        [{"params": [matrix], "hidden_matrices": True}, {"params": [vector], "hidden_matrices": False}],
        lr=0.1,
        weight_decay=0.01,
    )
    own_matrix, own_vector = weights()
    muon = torch.optim.Muon([own_matrix], lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW([own_vector], lr=0.1, weight_decay=0.01)
    for step in range(4):
        for parameter in (matrix, vector, own_matrix, own_vector):
            parameter.grad = torch.full_like(parameter, step + 1.0) * parameter.detach()
        if step == 2:  # rates set from outside, as a schedule does, reach both parts
            for optimizer in (both, muon, adamw):
                for group in optimizer.param_groups:
                    group["lr"] = 0.02
        for optimizer in (both, muon, adamw):
            optimizer.step()
    torch.testing.assert_close(matrix, own_matrix, rtol=0, atol=1e-7)
    torch.testing.assert_close(vector, own_vector, rtol=0, atol=1e-6)


def test_settings_that_an_optimizer_refuses_are_a_users_fault() -> None:
    model = tiny.make_model().model
    with pytest.raises(ConfigError, match="SGD refuses its settings"):
        make_optimizer(functools.partial(torch.optim.SGD, lr=1.0, nesterov=True, momentum=0), model, layer_decay=1.0)
    with pytest.raises(ConfigError, match=r"optimizer\.lr is not set"):
        make_optimizer(lambda groups: torch.optim.SGD(groups), model, layer_decay=1.0)


def test_a_model_without_layers_of_its_own_trains_but_has_no_layer_decay() -> None:
    model = AutoModelForQuestionAnswering.from_config(FAMILIES["bert"])
    model.config.num_hidden_layers = 99  # as ALBERT, whose layers are one
    assert parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=1.0)
    with pytest.raises(ConfigError, match=r"trainer\.layer_decay"):
        parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=0.9)
    with pytest.raises(ConfigError, match=r"model\.freeze_layers=4 is more than the 3 layers"):
        freeze(AutoModelForQuestionAnswering.from_config(FAMILIES["distilbert"]), embeddings=False, layers=4)
