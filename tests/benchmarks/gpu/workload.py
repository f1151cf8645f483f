"""What is trained: BERT with random weights on made-up features that are as long as those of SQuAD."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForQuestionAnswering

from qaexp.data.batches import BatchPlan
from qaexp.data.features import Features
from qaexp.model import LoadedModel
from tests.fixtures.checkpoints import tiny_tokenizer

# Every twentieth part of the lengths of the 5,065 features of 4,859 SQuAD v2 questions (docs/benchmarks.md), 384/128.
_LENGTHS = (62, 114, 122, 128, 132, 137, 142, 148, 153, 161, 169, 177, 185, 195, 208, 223, 239, 265, 295, 370, 384)
_PAD = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and what it is trained on.

    Attributes:
        name: What the page calls the model.
        config: What differs from BERT-base.
        longest: Tokens of the longest feature.
        num_features: Features of the data set.
        batch_size: Features of a batch of Trainer; a batch of qaexp has as many tokens, padding counted, as so many of
            the longest features.
        steps: Steps of a turn.
    """

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    longest: int = 384
    num_features: int = 4096
    batch_size: int = 32
    steps: int = 30

    @property
    def token_budget(self) -> int:
        """Tokens of a batch of qaexp, padding counted."""
        return self.batch_size * self.longest

    def plan(self) -> BatchPlan:
        """Batches of similar length, as qaexp makes them by default."""
        return BatchPlan(batch_size=None, token_budget=self.token_budget, group_by_length=True, shuffle=True, seed=0)

    def model(self, *, attention_dropout: float = 0.1) -> LoadedModel:
        """The model with random weights; the tokenizer only says how rows are padded."""
        torch.manual_seed(0)
        config = BertConfig(**self.config, attention_probs_dropout_prob=attention_dropout, pad_token_id=_PAD)
        return LoadedModel(BertForQuestionAnswering(config), tiny_tokenizer(), {})

    def features(self, *, all_longest: bool = False) -> Features:
        """Random tokens and labels; lengths follow those of SQuAD, or are all the longest."""
        chance = np.random.default_rng(0)
        shares = chance.random(self.num_features)
        lengths = np.interp(shares, np.linspace(0, 1, len(_LENGTHS)), _LENGTHS) * self.longest / _LENGTHS[-1]
        lengths = np.full(self.num_features, self.longest) if all_longest else np.rint(lengths).astype(np.int64)
        return _made_up(lengths, self.model_vocabulary, chance)

    @property
    def model_vocabulary(self) -> int:
        """Rows of the embeddings."""
        return int(self.config.get("vocab_size", BertConfig().vocab_size))


BASE = Workload("BERT-base")
LARGE = Workload(
    "BERT-large",
    {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    num_features=1024,
    steps=10,
)
_SMALL = {
    "vocab_size": 1600,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
TINY = Workload("a tiny BERT", _SMALL, longest=48, num_features=48, batch_size=4, steps=2)


def _made_up(lengths: np.ndarray, vocabulary: int, chance: np.random.Generator) -> Features:
    count, total = len(lengths), int(lengths.sum())
    start = (chance.random(count) * (lengths - 1)).astype(np.int32)
    return Features(
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        input_ids=chance.integers(_PAD + 1, vocabulary, size=total, dtype=np.int32),
        token_type_ids=np.zeros(total, np.uint8),
        offset_mapping=np.zeros((total, 2), np.int32),
        context_begin=np.zeros(count, np.int32),
        context_end=lengths.astype(np.int32),
        null_position=np.zeros(count, np.int32),
        example_index=np.arange(count, dtype=np.int32),
        start_position=start,
        end_position=np.minimum(start + 2, lengths - 1).astype(np.int32),
        num_truncated_questions=0,
    )
