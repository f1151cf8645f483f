"""Which windows the model reads at once: those of several requests, of similar length, and each request in its turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qaexp.evaluation.shards import part_of

if TYPE_CHECKING:
    from qaexp.data.features import Features


class InTurn(Protocol):
    """Somebody whose windows wait to be read.

    Attributes:
        remaining: (tokens, number) of the windows that wait, the longest first.
        last_pass: The number of the pass that last read one of them; before the first, of the last but one then.
        is_alone: Whether no other's windows may be read together with these.
    """

    remaining: list[tuple[int, int]]
    last_pass: int
    is_alone: bool


def next_pass(waiting: Sequence[InTurn], token_budget: int) -> list[tuple[int, int]]:
    """Choose the windows of a pass.

    Who waited for the most passes comes first, and the longest of their windows is read in any case: so nobody waits
    for more passes than there are others, however long these texts are. The pass is filled up with windows of all,
    one of each after the other, that are at least half as long as the longest of the pass: less would be padding.

    Args:
        waiting: At least one, each with at least one window.
        token_budget: Tokens of a pass, padding included; a longer window is read alone.

    Returns:
        (place in `waiting`, number of the window), at least one.
    """
    first = min(range(len(waiting)), key=lambda place: waiting[place].last_pass)
    longest = shortest = waiting[first].remaining[0][0]
    chosen = [(first, waiting[first].remaining[0][1])]
    for length, place, number in _candidates(waiting, first, token_budget):
        low, high = min(shortest, length), max(longest, length)
        if (len(chosen) + 1) * high <= token_budget and high <= 2 * low:
            chosen.append((place, number))
            shortest, longest = low, high
    return chosen


def _candidates(waiting: Sequence[InTurn], first: int, token_budget: int) -> Iterable[tuple[int, int, int]]:
    """(length, place, number) of the windows that may fill up a pass: of each one the first, then the second."""
    length = waiting[first].remaining[0][0]
    most = max(1, token_budget // max(1, length // 2))
    if waiting[first].is_alone:
        return [(tokens, first, number) for tokens, number in waiting[first].remaining[1:most]]
    found = [
        (rank, abs(tokens - length), tokens, place, number)
        for place, one in enumerate(waiting)
        if not one.is_alone
        for rank, (tokens, number) in enumerate(one.remaining[:most])
        if (place, rank) != (first, 0)
    ]
    return [entry[2:] for entry in sorted(found)]


def joined(parts: Sequence[tuple[Features, int]]) -> Features:
    """The windows of several requests as the features of as many examples.

    Args:
        parts: Features with the number of one of them, at least one.
    """
    windows = [part_of(features, number, number + 1, int(features.example_index[number])) for features, number in parts]
    columns = {
        name: np.concatenate([window.columns()[name] for window in windows])
        for name in windows[0].columns()
        if name not in ("indptr", "example_index")
    }
    indptr = np.concatenate([[0], np.cumsum([window.num_tokens for window in windows])])
    example_index = np.arange(len(windows), dtype=np.int32)
    return type(windows[0])(indptr=indptr, example_index=example_index, **columns, num_truncated_questions=0)
