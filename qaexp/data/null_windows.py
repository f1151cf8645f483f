"""A sample of the training windows without an answer: where almost all are such, most of them teach little."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qaexp.data.ondisk.examples import ids_of
from qaexp.data.squad import Example

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.ondisk.features import StoredFeatures


def sample_null_windows(
    features: Features | StoredFeatures, examples: Sequence[Example], *, rate: float, seed: int
) -> Features | StoredFeatures:
    """Keep every window that holds a whole answer, and each of the others by chance.

    Whether a window is kept is a pure function of the seed, the example's id and the number of the window in its
    example: neither the order nor the number of examples counts, and what a small rate keeps, a larger one keeps too.

    Args:
        features: The features of the examples.
        examples: The examples.
        rate: The share of windows without an answer that are kept, from 0 to 1.
        seed: Of the sample.
    """
    chance = _uniform(_seeds(ids_of(examples), seed)[features.example_index], _window_numbers(features.example_index))
    return features.kept(~features.is_null | (chance < rate))


def _seeds(ids: Iterable[str], seed: int) -> NDArray[np.uint64]:
    """A number of 64 bits for each example, by its id."""
    digests = (hashlib.blake2b(f"{seed}/{id}".encode(), digest_size=8).digest() for id in ids)
    return np.frombuffer(b"".join(digests), "<u8")


def _window_numbers(example_index: NDArray[np.int32]) -> NDArray[np.int64]:
    """The number of each window in its example, from 0; examples are in order.

    >>> _window_numbers(np.array([0, 0, 2, 2, 2], np.int32))
    array([0, 1, 0, 1, 2])
    """
    return np.arange(len(example_index)) - np.searchsorted(example_index, example_index)


def _uniform(seeds: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers from 0 to 1 (exclusive): the outputs of SplitMix64 (Steele et al. 2014) at places of its sequences."""
    state = seeds + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    uniform: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform
