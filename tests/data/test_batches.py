"""Every feature once an epoch, within the budget, in an order that (seed, epoch) alone decides; and their tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.data.batches import BatchPlan, collate
from qaexp.data.features import Features, build_features
from qaexp.data.question_files import read_squad_file
from qaexp.errors import ConfigError
from tests.fixtures.checkpoints import minilm_tokenizer

LENGTHS = np.random.default_rng(0).integers(4, 385, 5000)


def by_length(seed: int = 0, token_budget: int = 3072) -> BatchPlan:
    return BatchPlan(batch_size=None, token_budget=token_budget, group_by_length=True, shuffle=True, seed=seed)


def fixed(batch_size: int = 16, shuffle: bool = True) -> BatchPlan:
    return BatchPlan(batch_size=batch_size, token_budget=None, group_by_length=False, shuffle=shuffle, seed=0)


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 600), max_size=400),
    limit=st.integers(1, 900),
    is_budget=st.booleans(),
    group_by_length=st.booleans(),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 99),
)
def test_every_feature_stands_once_in_an_epoch_and_within_the_limit(
    lengths: list[int], limit: int, is_budget: bool, group_by_length: bool, shuffle: bool, seed: int, epoch: int
) -> None:
    plan = BatchPlan(None if is_budget else limit, limit if is_budget else None, group_by_length, shuffle, seed)
    array = np.array(lengths, np.int64)
    batches = plan.epoch(array, epoch)
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(lengths)))
    for batch in batches:
        cost = len(batch) * array[batch].max() if is_budget else len(batch)
        assert cost <= limit or len(batch) == 1


@pytest.mark.parametrize("plan", [by_length(), fixed()])
def test_order_is_a_function_of_seed_and_epoch(plan: BatchPlan) -> None:
    first, second = plan.epoch(LENGTHS, 3), plan.epoch(LENGTHS, 4)
    np.random.default_rng(1).random(7)
    torch.manual_seed(5)
    again = plan.epoch(LENGTHS, 3)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]
    assert first[0].tolist() != second[0].tolist()
    other = BatchPlan(plan.batch_size, plan.token_budget, plan.group_by_length, plan.shuffle, seed=1)
    assert first[0].tolist() != other.epoch(LENGTHS, 3)[0].tolist()


def test_order_stays_the_same_from_version_to_version() -> None:
    assert np.concatenate(fixed(4).epoch(np.ones(8, np.int64), 2)).tolist() == [0, 4, 6, 3, 5, 7, 1, 2]


def test_fixed_keeps_the_given_order_without_shuffling() -> None:
    batches = fixed(3, shuffle=False).epoch(LENGTHS[:8], 5)
    assert [batch.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_grouped_epochs_are_not_the_same_batches_in_another_order() -> None:
    epochs = [{frozenset(batch.tolist()) for batch in by_length().epoch(LENGTHS, epoch)} for epoch in (0, 1)]
    assert len(epochs[0] & epochs[1]) < 0.05 * len(epochs[0])


def test_grouped_batches_fill_the_budget_and_come_in_any_order() -> None:
    batches = by_length().epoch(LENGTHS, 0)
    cells = np.array([len(batch) * LENGTHS[batch].max() for batch in batches])
    assert cells.mean() > 0.9 * 3072
    longest = np.array([LENGTHS[batch].max() for batch in batches])
    assert abs(np.corrcoef(longest[:-1], longest[1:])[0, 1]) < 0.2


def test_a_feature_over_the_budget_stands_alone() -> None:
    batches = by_length(token_budget=100).epoch(np.array([30, 500, 30, 30]), 0)
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0, 2, 3], [1]]


@pytest.mark.parametrize(("batch_size", "token_budget"), [(None, None), (16, 3072)])
def test_exactly_one_limit_is_needed(batch_size: int | None, token_budget: int | None) -> None:
    with pytest.raises(ConfigError, match=r"batches\.batch_size.*batches\.token_budget.*exactly one"):
        BatchPlan(batch_size, token_budget, True, True, 0)


def padding_share(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """Percent of the computed tokens that are padding."""
    cells = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 100 * (1 - int(lengths.sum()) / cells)


def test_padding_on_the_real_sample_is_below_five_percent(sample_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = read_squad_file(sample_dir / "train.json").examples
    lengths = build_features(examples, minilm_tokenizer(), max_length=384, doc_stride=128).lengths
    shares = {
        size: padding_share(lengths[:size], by_length().epoch(lengths[:size], 0)) for size in (1000, len(lengths))
    }
    with capsys.disabled():
        print(
            "\npadding with a budget of 3072 tokens: "
            + ", ".join(f"{share:.1f} % of {size} features" for size, share in shares.items())
            + f" (16 in any order: {padding_share(lengths, fixed().epoch(lengths, 0)):.1f} %)"
        )
    assert max(shares.values()) < 5


def some_features(generator: np.random.Generator, num_features: int = 7) -> Features:
    lengths = generator.integers(3, 9, num_features)
    num_tokens = int(lengths.sum())
    zeros = np.zeros(num_features, np.int32)
    return Features(
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        input_ids=generator.integers(5, 99, num_tokens).astype(np.int32),
        token_type_ids=generator.integers(0, 2, num_tokens).astype(np.uint8),
        offset_mapping=np.zeros((num_tokens, 2), np.int32),
        context_begin=zeros,
        context_end=zeros,
        null_position=zeros,
        example_index=zeros,
        start_position=generator.integers(0, lengths).astype(np.int32),
        end_position=generator.integers(0, lengths).astype(np.int32),
        num_truncated_questions=0,
    )


@pytest.mark.parametrize("padding_side", ["right", "left"])
@pytest.mark.parametrize("with_token_types", [True, False])
def test_collate_equals_plain_padding(padding_side: str, with_token_types: bool) -> None:
    features = some_features(np.random.default_rng(3))
    indices = np.array([5, 0, 3, 2])
    batch = collate(features, indices, pad_token_id=1, padding_side=padding_side, with_token_types=with_token_types)
    rows: list[dict[str, Any]] = [features.row(index) for index in indices]
    longest = max(len(row["input_ids"]) for row in rows)
    for number, row in enumerate(rows):
        missing = longest - len(row["input_ids"])
        left, right = (missing, 0) if padding_side == "left" else (0, missing)
        assert batch["input_ids"][number].tolist() == [1] * left + row["input_ids"] + [1] * right
        assert batch["attention_mask"][number].tolist() == [0] * left + [1] * len(row["input_ids"]) + [0] * right
        if with_token_types:
            assert batch["token_type_ids"][number].tolist() == [0] * left + row["token_type_ids"] + [0] * right
        for edge in ("start", "end"):
            position = int(batch[f"{edge}_positions"][number])
            assert position == row[f"{edge}_position"] + left
            assert batch["input_ids"][number, position] == row["input_ids"][row[f"{edge}_position"]]
    assert ("token_type_ids" in batch) == with_token_types
    assert all(tensor.dtype == torch.int64 and tensor.is_contiguous() for tensor in batch.values())


def test_collate_of_nothing_is_empty() -> None:
    batch = collate(
        some_features(np.random.default_rng(0)),
        np.array([], np.int64),
        pad_token_id=0,
        padding_side="right",
        with_token_types=True,
    )
    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "input_ids": (0, 0),
        "attention_mask": (0, 0),
        "token_type_ids": (0, 0),
        "start_positions": (0,),
        "end_positions": (0,),
    }
