"""What a training reads, and in which order: features in micro-batches and steps; it never changes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from qaexp.data.batches import BatchPlan, collate
from qaexp.data.device_copies import on_device
from qaexp.errors import DataError
from qaexp.training.dropout_masks import Rows

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.ondisk.features import StoredFeatures
    from qaexp.model import LoadedModel

Indices = NDArray[np.int64]


_BAD_ITEM = (IndexError, KeyError, TypeError, ValueError)


class Feed:
    """The micro-batches of every epoch.

    Args:
        features: The training features.
        plan: Which of them share a batch, epoch by epoch.
        loaded: Its tokenizer defines how rows are padded.
        accumulation: Micro-batches of a step; the last step of an epoch may have fewer.
    """

    def __init__(
        self, features: Features | StoredFeatures, plan: BatchPlan, loaded: LoadedModel, *, accumulation: int
    ) -> None:
        self.features = features
        self.lengths = features.lengths
        self._plan = plan
        self.accumulation = accumulation
        self._pad_token_id = int(loaded.tokenizer.pad_token_id)
        self._padding_side = str(loaded.tokenizer.padding_side)
        self._with_token_types = loaded.with_token_types
        self._latest: tuple[int, list[Indices]] = (-1, [])

    def epoch(self, epoch: int) -> list[Indices]:
        """The micro-batches of an epoch (0-based), each an array of feature indices."""
        if self._latest[0] != epoch:
            self._latest = (epoch, self._plan.epoch(self.lengths, epoch))
        return self._latest[1]

    def step(self, epoch: int, micro_step: int) -> list[Indices]:
        """The micro-batches of the step that starts at `micro_step` of an epoch; empty at its end."""
        return self.epoch(epoch)[micro_step : micro_step + self.accumulation]

    def num_steps(self, epoch: int) -> int:
        """Steps of an epoch."""
        return -(-len(self.epoch(epoch)) // self.accumulation)

    def batch(self, indices: Indices, device: torch.device) -> dict[str, torch.Tensor]:
        """Collate features into int64 tensors `[len(indices), longest]` on a device, labels into `[len(indices)]`.

        Raises:
            DataError: A feature cannot be put into a batch; the message names it.
        """
        try:
            batch = self._collated(indices)
        except _BAD_ITEM as error:
            raise DataError(f"training: {self._culprit(indices)} cannot be put into a batch: {error}") from error
        return on_device(batch, device)

    def rows(self, indices: Indices) -> Rows:
        """Where the tokens of these features are in their batch."""
        return Rows.of(indices, self.lengths[indices], self._padding_side)

    def _collated(self, indices: Indices) -> dict[str, torch.Tensor]:
        features, rows = self.features.held(indices)
        return collate(
            features,
            rows,
            pad_token_id=self._pad_token_id,
            padding_side=self._padding_side,
            with_token_types=self._with_token_types,
        )

    def _culprit(self, indices: Indices) -> str:
        """Name the first feature that cannot be put into a batch by itself."""
        for index in indices:
            try:
                self._collated(np.array([index]))
            except _BAD_ITEM:
                example = int(self.features.example_index[index])
                return f"feature {index} (example {example} of train_ids in data.json, counted from 0)"
        return f"the features {', '.join(map(str, indices))} together"


def share(indices: Indices, rank: int, num_ranks: int) -> Indices:
    """The features of a micro-batch that one of several processes computes; may be empty.

    >>> share(np.arange(5), 1, 2)
    array([1, 3])
    """
    return indices[rank::num_ranks]


def num_cells(indices: Indices, lengths: Indices, num_ranks: int) -> int:
    """Tokens of a micro-batch, padding included.

    >>> num_cells(np.array([0, 1, 2]), np.array([5, 3, 4]), 1)
    15
    """
    parts = (share(indices, rank, num_ranks) for rank in range(num_ranks))
    return sum(len(part) * int(lengths[part].max()) for part in parts if len(part))


def cut(indices: Indices, num_parts: int) -> list[Indices]:
    """Cut a micro-batch into non-empty parts of similar size.

    >>> cut(np.arange(5), 2)
    [array([0, 1, 2]), array([3, 4])]
    """
    return [part for part in np.array_split(indices, num_parts) if len(part)]


def dropout_seed(seed: int, epoch: int, micro_step: int, rank: int, part: int = 0) -> int:
    """The dropout seed of one micro-batch: a pure function, so that a resumed training draws the same masks.

    Returns:
        An int in [0, 2**63).
    """
    place = f"{seed}/{epoch}/{micro_step}/{rank}" + (f"/{part}" if part else "")
    digest = hashlib.sha256(f"dropout/{place}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
