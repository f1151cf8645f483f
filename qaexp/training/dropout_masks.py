"""Which elements dropout keeps: a pure function of seed, epoch, feature, place in the model and element."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

# An element is dropped where its 16 random bits, read as a whole number, are below p * 65536.
_STEPS = 1 << 16
_BITS_OF_A_WORD = 64
_ELEMENTS_OF_A_WORD = _BITS_OF_A_WORD // 16
_WORD = (1 << _BITS_OF_A_WORD) - 1
# Calls of one module in a forward pass (ALBERT calls one layer many times) share the upper half of a counter's word.
_CALL_BITS = 32
# The order of bits of 1.0 as bfloat16, which numpy does not have.
_BFLOAT16_ONE = np.uint16(0x3F80)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which features a forward pass has, and where their tokens are.

    Attributes:
        indices: The feature of each row.
        spans: The row's first token, and the one after its last; the rest is padding.
    """

    indices: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, indices: Ints, lengths: Ints, padding_side: str) -> Rows:
        """The rows of features as `collate` puts them together.

        Args:
            indices: The features, int64 `[num_features]`.
            lengths: Their tokens, the same shape.
            padding_side: `right` or `left`.
        """
        first = lengths.max(initial=0) - lengths if padding_side == "left" else np.zeros_like(lengths)
        spans = zip(first.tolist(), (first + lengths).tolist(), strict=True)
        return cls(tuple(indices.tolist()), tuple(spans))


class DropoutMasks:
    """The masks of a training, drawn from Philox (Salmon et al., 2011), a counter-based generator.

    A mask depends neither on what a feature shares a micro-batch with nor on the order in which masks are drawn. So it
    is the same after a resume, with micro-batches cut in halves, and in any number of processes and threads.
    """

    def __init__(self, seed: int) -> None:
        """Start with a seed; `begin` says for which features masks are drawn."""
        self._seed = seed & _WORD
        self._epoch = 0
        self.rows = Rows()
        self._calls: Counter[int] = Counter()

    def begin(self, epoch: int, rows: Rows) -> None:
        """Draw masks for these features from here on.

        Args:
            epoch: The number of the epoch, 0-based.
            rows: The features of one forward pass.
        """
        self._epoch, self.rows = epoch, rows
        self._calls.clear()

    def kept(self, place: int, probability: float, sizes: Iterable[int]) -> list[Bools]:
        """For each feature, which of its elements are kept; another call of the same place draws other masks.

        Args:
            place: The number of the module that drops.
            probability: How likely an element is dropped, rounded to 1 / 65536.
            sizes: Elements of each feature.

        Returns:
            Flat arrays, one per feature.
        """
        call = self._calls[place]
        self._calls[place] += 1
        site = place << _CALL_BITS | call
        below = threshold(probability)

        def draw(item: tuple[int, int]) -> Bools:
            index, size = item
            # Lists of large numbers would be turned into floats on their way.
            key, counter = (np.array(words, np.uint64) for words in ([self._seed, 0], [0, site, index, self._epoch]))
            words = np.random.Philox(key=key, counter=counter).random_raw(-(-size // _ELEMENTS_OF_A_WORD))
            return words.view(np.uint16)[:size] >= below

        return _on_all_threads(draw, zip(self.rows.indices, sizes, strict=True))


def threshold(probability: float) -> int:
    """How many of the 65,536 values of 16 random bits drop an element.

    >>> threshold(0.1), threshold(0.0)
    (6554, 0)
    """
    return round(probability * _STEPS)


def scale(probability: float) -> float:
    """What kept elements are multiplied with so that the mean stays: 1 / the share that is really kept.

    >>> scale(0.5)
    2.0
    """
    return _STEPS / (_STEPS - threshold(probability))


def as_numbers(kept: Bools, kind: torch.dtype) -> torch.Tensor:
    """The same as a flat tensor of 1 and 0; torch's own conversion takes several times as long.

    >>> as_numbers(np.array([True, False]), torch.bfloat16)
    tensor([1., 0.], dtype=torch.bfloat16)
    """
    if kind == torch.bfloat16:
        return torch.from_numpy(np.multiply(kept, _BFLOAT16_ONE, dtype=np.uint16)).view(kind)
    return torch.from_numpy(kept.astype(_NUMPY[kind]))


def zero_padding(space: torch.Tensor, spans: Sequence[tuple[int, int]]) -> None:
    """Set what lies outside of the spans to zero; `space` is `[batch, length, ...]`."""
    for row, (first, last) in zip(space, spans, strict=True):
        row[:first].zero_()
        row[last:].zero_()


_NUMPY: dict[torch.dtype, Any] = {torch.float16: np.float16, torch.float32: np.float32, torch.float64: np.float64}
_pools: dict[int, ThreadPoolExecutor] = {}
# A forked child has the pools of its parent, but none of their threads.
os.register_at_fork(after_in_child=_pools.clear)


def _on_all_threads(make: Callable[[_Item], _Made], items: Iterable[_Item]) -> list[_Made]:
    """The results in order; numpy draws without the interpreter's lock."""
    number = torch.get_num_threads()
    if number == 1:
        return list(map(make, items))
    if number not in _pools:
        _pools[number] = ThreadPoolExecutor(number, thread_name_prefix="dropout")
    return list(_pools[number].map(make, items))
