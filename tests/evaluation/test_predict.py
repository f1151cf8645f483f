"""Logits of a batched model against one feature at a time; modes, randomness and memory on the way."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering

from qaexp.data.features import Features, build_features
from qaexp.data.squad import Example
from qaexp.errors import OutOfMemoryError
from qaexp.evaluation.logits import Logits
from qaexp.evaluation.predict import budget_on, predict_logits
from tests.fixtures.checkpoints import TINY_FOLDER, tiny_tokenizer
from tests.fixtures.windows import make_features

BERT: dict[str, Any] = {"pad_token_id": 0, "with_token_types": True}


def make(padding_side: str = "right") -> tuple[torch.nn.Module, Features]:
    """A model with dropout in training mode, and features of many lengths."""
    tokenizer = tiny_tokenizer(padding_side=padding_side)
    words = ["the", "city", "of", "Paris", "is", "the", "capital", "and", "largest", "city", "of", "France"]
    examples = [
        Example(f"q{number}", "", " ".join(words[: 1 + number % 12] * (1 + number % 5)), "Which city?", ())
        for number in range(30)
    ]
    torch.manual_seed(0)
    model = BertForQuestionAnswering(BertConfig.from_pretrained(TINY_FOLDER)).train()
    return model, build_features(examples, tokenizer, max_length=48, doc_stride=16)


@pytest.mark.parametrize("padding_side", ["right", "left"])
@pytest.mark.parametrize("token_budget", [1, 100, 8192])
def test_equals_one_feature_at_a_time(padding_side: str, token_budget: int) -> None:
    model, features = make(padding_side)
    # Absolute positions move with padding on the left, so a model without them stands for those that are padded there.
    torch.nn.init.zeros_(model.bert.embeddings.position_embeddings.weight)  # type: ignore[union-attr, arg-type]
    found = predict_logits(model, features, padding_side=padding_side, token_budget=token_budget, **BERT)
    model.eval()
    assert found.start.dtype == found.end.dtype == np.float32
    for index in range(len(features)):
        tokens = slice(features.indptr[index], features.indptr[index + 1])
        row = {name: torch.tensor([features.row(index)[name]]) for name in ("input_ids", "token_type_ids")}
        with torch.no_grad():
            expected = model(**row)
        np.testing.assert_allclose(found.start[tokens], expected.start_logits[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(found.end[tokens], expected.end_logits[0].numpy(), atol=1e-5)


def test_who_looks_on_is_told_after_each_batch() -> None:
    model, features = make()
    told: list[tuple[int, int]] = []
    seen = lambda done, total: told.append((done, total))  # noqa: E731
    predict_logits(model, features, padding_side="right", token_budget=100, seen=seen, **BERT)
    assert [total for _, total in told] == [len(features)] * len(told)
    counts = [done for done, _ in told]
    assert counts == sorted(set(counts))
    assert len(counts) > 3
    assert counts[-1] == len(features)


def test_random_state_modes_and_gradients_stay_as_they_were() -> None:
    model, features = make()
    frozen = model.bert.embeddings  # type: ignore[union-attr]
    frozen.eval()  # type: ignore[operator]
    modes = [module.training for module in model.modules()]
    first = predict_logits(model, features, padding_side="right", **BERT)
    state = torch.random.get_rng_state()
    second = predict_logits(model, features, padding_side="right", **BERT)
    assert torch.equal(state, torch.random.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    assert len(set(modes)) == 2
    assert first.start.tobytes() == second.start.tobytes()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_modes_come_back_after_a_fault() -> None:
    model, features = make()
    model.forward = lambda **_: 1 / 0  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        predict_logits(model, features, padding_side="right", **BERT)
    assert model.training


class Forgetful(torch.nn.Module):
    """Gives each token its own id as start logit, and runs out of memory above `limit` tokens a batch."""

    def __init__(self, limit: int, error: Callable[[], RuntimeError]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.limit, self.error = limit, error
        self.batches: list[tuple[int, ...]] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        if input_ids.numel() > self.limit:
            raise self.error()
        assert torch.equal(attention_mask, (input_ids != 0).long())
        self.batches.append(tuple(input_ids.shape))
        return SimpleNamespace(start_logits=input_ids.to(torch.bfloat16), end_logits=-input_ids.double())


ERRORS = [
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 1 bytes"),
    lambda: RuntimeError("CUDA out of memory."),
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_batch_that_does_not_fit_is_halved(error: Callable[[], RuntimeError]) -> None:
    _, features = make()
    model = Forgetful(150, error)
    found = predict_logits(model, features, pad_token_id=0, padding_side="right", with_token_types=False)
    assert found.end.tolist() == (-features.input_ids).tolist()
    assert found.start.tolist() == torch.tensor(features.input_ids).bfloat16().float().tolist()
    assert sum(shape[0] for shape in model.batches) == len(features)
    assert max(shape[0] for shape in model.batches) > 1


def test_one_feature_that_does_not_fit_is_the_end() -> None:
    _, features = make()
    with pytest.raises(OutOfMemoryError, match=f"one feature of {features.lengths.max()} tokens") as caught:
        predict_logits(Forgetful(3, ERRORS[0]), features, pad_token_id=0, padding_side="right", with_token_types=False)
    assert caught.value.exit_code == 7


def test_other_faults_are_not_taken_for_memory() -> None:
    _, features = make()
    model = Forgetful(3, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        predict_logits(model, features, pad_token_id=0, padding_side="right", with_token_types=False)


def test_little_padding_is_computed() -> None:
    _, features = make()
    model = Forgetful(10**9, ERRORS[0])
    predict_logits(model, features, pad_token_id=0, padding_side="right", with_token_types=False, token_budget=256)
    computed = sum(rows * length for rows, length in model.batches)
    assert computed < 1.25 * features.num_tokens  # in the order of the features: 1.6
    assert all(rows * length <= 256 for rows, length in model.batches)


def test_no_features_have_no_logits() -> None:
    model, _ = make()
    found = predict_logits(model, make_features([]), padding_side="right", **BERT)
    assert isinstance(found, Logits)
    assert len(found.start) == 0


def test_a_cpu_takes_smaller_batches_than_an_accelerator() -> None:
    assert (budget_on(torch.device("cpu")), budget_on(torch.device("cuda"))) == (2048, 8192)
