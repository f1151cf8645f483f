"""Attention without padding: the features of a batch in one row, each seeing itself alone (Flash attention, varlen)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from qaexp.data.batches import collate
from qaexp.data.device_copies import on_device
from qaexp.data.features import Features
from qaexp.model.placing import place
from qaexp.training.loss import span_loss
from tests.benchmarks.gpu.contenders import LR, Turn, wait_for
from tests.benchmarks.gpu.workload import Workload

_PACKED = "packed"


def _packed_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """Attention of `[1, heads, tokens, width]` within the features that `cu_seq_lens_q` [features + 1] separates."""
    ends, longest = settings["cu_seq_lens_q"], settings["max_length_q"]
    if query.device.type == "cuda":
        from torch.nn.attention.varlen import varlen_attn

        flat = (tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value))
        found = varlen_attn(*flat, ends, ends, longest, longest, scale=settings["scaling"])
        return found[None], None
    edges = ends.tolist()
    parts = [
        scaled_dot_product_attention(*(tensor[:, :, begin:end] for tensor in (query, key, value)))
        for begin, end in pairwise(edges)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


AttentionInterface.register(_PACKED, _packed_attention)
AttentionMaskInterface.register(_PACKED, lambda **_: None)


class Padded:
    """Forward, backward and update with batches of similar length, padded."""

    def __init__(self, work: Workload, device: torch.device) -> None:
        self.work, self.device = work, device
        # The varlen attention of torch has no dropout, so neither side has any inside attention.
        self.model = work.model(attention_dropout=0.0).model.train()
        place(self.model, device)
        self.features: Features = work.features()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LR, fused=True)
        self._batches = self._all_batches()

    def turn(self) -> Turn:
        """Some steps."""
        tokens = count = 0
        wait_for(self.device)
        began = time.perf_counter()
        for _ in range(self.work.steps):
            indices = next(self._batches)
            (self.loss(indices) / len(indices)).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            tokens, count = tokens + int(self.features.lengths[indices].sum()), count + len(indices)
        wait_for(self.device)
        return Turn(tokens, count, time.perf_counter() - began)

    def loss(self, indices: np.ndarray) -> Tensor:
        """The sum of the losses of some features, in bf16."""
        batch = on_device(self._collated(indices), self.device)
        labels = batch.pop("start_positions"), batch.pop("end_positions")
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.model(**batch)
        return span_loss(output.start_logits, output.end_logits, batch["attention_mask"], *labels)[0]

    def _collated(self, indices: np.ndarray) -> dict[str, Tensor]:
        return collate(self.features, indices, pad_token_id=0, padding_side="right", with_token_types=True)

    def _all_batches(self) -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from self.work.plan().epoch(self.features.lengths, epoch)
            epoch += 1


class Packed(Padded):
    """The same without padding."""

    def __init__(self, work: Workload, device: torch.device) -> None:
        super().__init__(work, device)
        self.model.set_attn_implementation(_PACKED)

    def loss(self, indices: np.ndarray) -> Tensor:
        """The sum of the losses of some features, in bf16."""
        padded = self._collated(indices)
        labels = padded.pop("start_positions"), padded.pop("end_positions")
        real = padded["attention_mask"].bool()
        lengths = real.sum(1)
        row = {name: padded[name][real] for name in ("input_ids", "token_type_ids")}
        row["position_ids"] = torch.arange(real.shape[1]).expand_as(real)[real]
        row |= {"place": real.reshape(-1).nonzero()[:, 0], "mask": padded["attention_mask"]}
        row |= {"ends": torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])}
        row = on_device({**row, "start": labels[0], "end": labels[1]}, self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.model(
                **{name: row[name][None] for name in ("input_ids", "token_type_ids", "position_ids")},
                cu_seq_lens_q=row["ends"].int(),
                max_length_q=int(lengths.max()),
            )
        spread = (
            logits.new_zeros(real.numel()).index_copy(0, row["place"], logits[0]).view(real.shape)
            for logits in (output.start_logits, output.end_logits)
        )
        return span_loss(*spread, row["mask"], row["start"], row["end"])[0]

    def _all_batches(self) -> Iterator[np.ndarray]:
        """Features in any order, as many as there is room for in the same number of tokens."""
        chance = np.random.default_rng(0)
        while True:
            order = chance.permutation(len(self.features))
            number = np.cumsum(self.features.lengths[order]) // self.work.token_budget
            yield from np.split(order, np.flatnonzero(np.diff(number)) + 1)
