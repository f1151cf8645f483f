"""The windows of an example laid over each other: each span once, with its best score, without sorting any spans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from qaexp.evaluation.spans import Floats, Ints, SpanGrid

Bools = npt.NDArray[np.bool_]

_CHARACTER_BITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class MergedWindows:
    """The tokens of some contexts, each once, sorted by example and start_char.

    Attributes:
        keys: What tells the token: its example and its start_char, int64 `[num_tokens]`.
        example: Its example.
        end_char: Its end, exclusive.
        scores: The best score of the spans that begin at the token and have 1, 2, ... tokens, `[num_tokens,
            max_answer_length]`; -inf where no window holds such a span. In this order, row by row, spans are sorted by
            their example, start_char and end_char.
    """

    keys: Ints
    example: Ints
    end_char: Ints
    scores: Floats

    def places(self, example: Ints, start_char: Ints, end_char: Ints) -> tuple[Ints, Ints]:
        """Return row and column of some of the spans in `scores`."""
        first = np.searchsorted(self.keys, _keys(example, start_char))
        ends = _keys(self.example, self.end_char)
        return first, np.searchsorted(ends, _keys(example, end_char)) - first


def can_merge(grid: SpanGrid, num_examples: int) -> Bools:
    """Which examples have windows that are stretches of one text: equal tokens, none of them empty or out of order."""
    tokens = _Tokens.of(grid)
    same_row = tokens.row[1:] == tokens.row[:-1]
    is_next = (np.diff(tokens.place) == 1) & (np.diff(tokens.end_char) > 0)
    is_fine = (tokens.start_char < tokens.end_char) & (tokens.ends[tokens.place] == tokens.end_char)
    is_fine[1:] &= is_next | ~same_row
    found = np.ones(num_examples, dtype=bool)
    found[grid.example[tokens.row[~is_fine]]] = False
    return found


def merge(grid: SpanGrid) -> MergedWindows:
    """Lay windows over each other, of which `can_merge` is true."""
    tokens = _Tokens.of(grid)
    scores = np.full((len(tokens.keys), grid.max_answer_length), -np.inf)
    ends_from = sliding_window_view(grid.end, grid.max_answer_length, axis=1)
    ordinal = np.arange(len(grid.example)) - np.searchsorted(grid.example, grid.example)
    for number in range(int(ordinal.max(initial=-1)) + 1):
        chosen = np.flatnonzero(ordinal[tokens.row] == number)  # one window an example, so no token comes twice
        row, column, place = tokens.row[chosen], tokens.column[chosen], tokens.place[chosen]
        found = grid.start[row, column][:, None] + ends_from[row, column]
        scores[place] = np.maximum(scores[place], found)
    return MergedWindows(tokens.keys, tokens.keys >> _CHARACTER_BITS, tokens.ends, scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """The tokens of all windows, window by window; `place` is that in the sorted `keys` and `ends` of distinct ones."""

    row: Ints
    column: Ints
    start_char: Ints
    end_char: Ints
    place: Ints
    keys: Ints
    ends: Ints

    @classmethod
    def of(cls, grid: SpanGrid) -> _Tokens:
        row, column = np.nonzero(np.isfinite(grid.start))
        start_char, end_char = grid.start_char[row, column], grid.end_char[row, column]
        keys, place = np.unique(_keys(grid.example[row], start_char), return_inverse=True)
        ends = np.empty_like(keys)
        ends[place] = end_char
        return cls(row, column, start_char, end_char, place, keys, ends)


def _keys(example: Ints, character: Ints) -> Ints:
    return (example << _CHARACTER_BITS) | character
