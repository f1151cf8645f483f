"""Several processes answer a question set: each takes its share of the batches, and the first one gets all logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from qaexp.evaluation.batchwise import Floats, Ints
from qaexp.evaluation.predict import predict_each

if TYPE_CHECKING:
    from qaexp.data.features import Features

# Tokens whose logits are sent at once: 8 MiB.
_TOKENS_AT_ONCE = 2**20


class Peers(Protocol):
    """The processes that answer together."""

    @property
    def index(self) -> int:
        """The number of this process, from 0."""

    @property
    def number(self) -> int:
        """How many there are."""

    def meet(self) -> None:
        """Wait for all; raises where one of them was asked to stop."""

    def send(self, values: Floats) -> None:
        """Send numbers to the first process."""

    def receive(self, index: int, values: Floats) -> None:
        """Fill an array with the numbers that a process sends."""


def share_of(lengths: npt.NDArray[np.int64], token_budget: int, index: int, number: int) -> Ints:
    """The features that a process answers, the longest first: every so many-th batch of those that one alone makes.

    `predict_each` cuts them into these same batches again, so that each feature is computed among the same neighbours
    whatever the number of processes.

    Args:
        lengths: Tokens of each feature, `[num_features]`.
        token_budget: Tokens of a batch, padding included.
        index: The process, from 0.
        number: How many there are.

    >>> share_of(np.array([3, 5, 4, 2]), 8, 0, 2), share_of(np.array([3, 5, 4, 2]), 8, 1, 2)
    (array([1, 3]), array([2, 0]))
    """
    longest_first = np.argsort(-lengths, kind="stable")
    batches, done = [], 0
    while done < len(longest_first):
        size = max(1, token_budget // int(lengths[longest_first[done]]))
        batches.append(longest_first[done : done + size])
        done += size
    return np.concatenate([np.empty(0, np.int64), *batches[index::number]])


def predict_together(
    model: torch.nn.Module,
    features: Features,
    put: Callable[[Ints, Floats, Floats], None],
    peers: Peers,
    *,
    token_budget: int,
    **settings: Any,
) -> None:
    """Run the model over this process's share of the features; all processes call it at the same place.

    Args:
        model: See `predict_each`.
        features: All features.
        put: See `predict_each`; in the first process it gets all features, in the others none.
        peers: The processes.
        token_budget: Tokens of a batch, padding included.
        **settings: The other arguments of `predict_each`.

    Raises:
        OutOfMemoryError: A single feature does not fit.
        Stopped: One of the processes was asked to stop.
    """
    own = share_of(features.lengths, token_budget, peers.index, peers.number)
    kept: list[tuple[Floats, Floats]] = []

    def keep(_: Ints, start: Floats, end: Floats) -> None:
        kept.append((start, end))

    predict_each(model, features, keep if peers.index else put, token_budget=token_budget, chosen=own, **settings)
    peers.meet()
    if peers.index:
        _send(kept, features.lengths[own], peers)
        return
    for index in range(1, peers.number):
        theirs = share_of(features.lengths, token_budget, index, peers.number)
        for first, last in _stretches(features.lengths[theirs]):
            some = theirs[first:last]
            values = np.empty((2, int(features.lengths[some].sum())), np.float32)
            peers.receive(index, values)
            put(some, *values)


def _send(kept: list[tuple[Floats, Floats]], lengths: npt.NDArray[np.int64], peers: Peers) -> None:
    """Send what was kept of features of these lengths, start logits beside end logits."""
    if not kept:
        return
    values = np.stack([np.concatenate(part) for part in zip(*kept, strict=True)])
    places = np.concatenate([[0], np.cumsum(lengths)])
    for first, last in _stretches(lengths):
        peers.send(np.ascontiguousarray(values[:, places[first] : places[last]]))


def _stretches(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first of some features that are sent at once, and the one after their last."""
    places = np.concatenate([[0], np.cumsum(lengths)])
    first = 0
    while first < len(lengths):
        last = int(np.searchsorted(places, places[first] + _TOKENS_AT_ONCE, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last
