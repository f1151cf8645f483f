"""Features to batches: which features are together in each epoch, and the tensors they become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from qaexp.data.padding import padded
from qaexp.errors.rules import limit_problems, refuse

if TYPE_CHECKING:
    from qaexp.data.features import Features

Ints = NDArray[np.int64]
# Features of similar length come from a stretch of the shuffled order that holds this many batches: longer stretches
# pad less, shorter ones leave more of the order to chance.
_BATCHES_OF_A_STRETCH = 32
# So many lengths are Python's numbers, of 36 bytes each, at a time.
_LENGTHS_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How the features of an epoch are cut into micro-batches.

    Attributes:
        batch_size: Features of a micro-batch; exactly one of this and token_budget is set.
        token_budget: Tokens of a micro-batch, padding counted; a longer feature is alone in its batch.
        group_by_length: Whether features of similar length are batched together.
        shuffle: Whether each epoch has an order of its own; otherwise it is the order of the features.
        seed: The seed of the order.
    """

    batch_size: int | None
    token_budget: int | None
    group_by_length: bool
    shuffle: bool
    seed: int

    def __post_init__(self) -> None:
        refuse(limit_problems(self.batch_size, self.token_budget))

    def epoch(self, lengths: Ints, epoch: int) -> list[Ints]:
        """Return the micro-batches of an epoch (0-based): arrays of feature indices, each feature in exactly one.

        A pure function of its arguments and the plan.

        Args:
            lengths: Tokens of each feature.
            epoch: The number of the epoch.
        """
        chance = np.random.PCG64(np.random.SeedSequence([self.seed, epoch]))
        order = _permutation(chance, len(lengths)) if self.shuffle else np.arange(len(lengths))
        if self.group_by_length:
            order = self._grouped(order, lengths)
        batches = list(self._pack(order, lengths[order]))
        if self.group_by_length and self.shuffle:
            batches = [batches[place] for place in _permutation(chance, len(batches))]
        return batches

    def _grouped(self, order: Ints, lengths: Ints) -> Ints:
        """Sort stretches of the order by length, upwards and downwards in turn, so that neighbours stay alike."""
        mean = max(1.0, float(lengths.mean())) if len(lengths) else 1.0
        size = _BATCHES_OF_A_STRETCH * (self.batch_size or max(1, int((self.token_budget or 0) / mean)))
        grouped = order.copy()
        for number, first in enumerate(range(0, len(order), size)):
            stretch = order[first : first + size]
            sign = 1 if number % 2 == 0 else -1
            grouped[first : first + size] = stretch[np.argsort(sign * lengths[stretch], kind="stable")]
        return grouped

    def _pack(self, order: Ints, lengths: Ints) -> Iterator[Ints]:
        """Yield the batches that follow each other in an order; `lengths` are in that order too."""
        first, longest = 0, 0
        some = (
            lengths[begin : begin + _LENGTHS_AT_ONCE].tolist() for begin in range(0, len(lengths), _LENGTHS_AT_ONCE)
        )
        for place, length in enumerate(chain.from_iterable(some)):
            longest = max(longest, length)
            count = place - first + 1
            is_too_much = (
                count > self.batch_size if self.batch_size is not None else count * longest > (self.token_budget or 0)
            )
            if is_too_much and count > 1:
                yield order[first:place]
                first, longest = place, length
        if first < len(order):
            yield order[first:]


def _permutation(chance: np.random.PCG64, count: int) -> Ints:
    """Return a random order of `range(count)`; made of raw bits, whose stream numpy keeps the same across versions."""
    return np.argsort(chance.random_raw(count), kind="stable")


def collate(
    features: Features, indices: Ints, *, pad_token_id: int, padding_side: str, with_token_types: bool
) -> dict[str, torch.Tensor]:
    """Put features together as tensors, padded to the longest of them.

    Arguments and the tensors are those of `padded`.
    """
    arrays = padded(
        features, indices, pad_token_id=pad_token_id, padding_side=padding_side, with_token_types=with_token_types
    )
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
