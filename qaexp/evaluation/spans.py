"""The search for the best spans: exact, over all legal spans, in numpy without a Python loop over spans.

It is cheap because a start only matters if the best span from it reaches the k-th best of such spans, so
most starts drop out before any span is formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from qaexp.data.edges import ends_with_marks

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.evaluation.logits import Logits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_OUTSIDE = np.iinfo(np.int64).max
_LOWEST = np.finfo(np.float64).min
# Whether a character is whitespace, by code point; the last entry covers all higher ones (none is).
_BLANK = np.array([chr(code).isspace() for code in range(0x3001)] + [False])


class FlatSpans(NamedTuple):
    """Spans of several examples as columns of one length; `end_char` is exclusive."""

    example: Ints
    start_char: Ints
    end_char: Ints
    score: Floats

    def take(self, rows: Ints) -> FlatSpans:
        """The spans in these rows, in their order."""
        return FlatSpans(self.example[rows], self.start_char[rows], self.end_char[rows], self.score[rows])

    def followed_by(self, other: FlatSpans) -> FlatSpans:
        """These spans, and then the others."""
        return FlatSpans(
            np.concatenate([self.example, other.example]),
            np.concatenate([self.start_char, other.start_char]),
            np.concatenate([self.end_char, other.end_char]),
            np.concatenate([self.score, other.score]),
        )


class TokenChars(NamedTuple):
    """start_char and end_char of every token, moved past surrounding whitespace; int64 [num_tokens] each.

    The end is after the marks (accents) of the last character, including those that the tokenizer drops.

    A span from token i to token j is `context[start[i]:end[j]]`, stripped already, and empty where start[i] >= end[j].
    """

    start: Ints
    end: Ints


def trimmed_offsets(contexts: Sequence[str], features: Features) -> TokenChars:
    """Move the offsets of all tokens past whitespace and dropped marks; `contexts` has one entry per example."""
    # All contexts are searched as one long text: a position that leaves its own context passed only whitespace, and
    # makes an empty span.
    bases: dict[str, int] = {}
    length = 0
    for context in contexts:
        if context not in bases:
            bases[context] = length
            length += len(context)
    next_solid, solid_end = _solid_bounds("".join(bases))
    base_of_example = np.array([bases[context] for context in contexts], dtype=np.int64)
    base = np.repeat(base_of_example[features.example_index], np.diff(features.indptr))
    start_char = features.offset_mapping[:, 0]
    end_char = ends_with_marks(contexts, features.example_index, features.indptr, features.offset_mapping)
    return TokenChars(next_solid[base + start_char] - base, solid_end[base + end_char] - base)


def _solid_bounds(text: str) -> tuple[Ints, Ints]:
    """For each position 0..len(text): the next character that is not whitespace, and the end of the last one before.

    >>> [bounds.tolist() for bounds in _solid_bounds(" a ")]
    [[1, 1, 3, 3], [0, 0, 2, 2]]
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    solid = ~_BLANK[np.minimum(codes, len(_BLANK) - 1)]
    position = np.arange(len(text), dtype=np.int64)
    following = np.append(np.where(solid, position, len(text)), len(text))
    before = np.append(0, np.where(solid, position + 1, 0))
    return np.minimum.accumulate(following[::-1])[::-1], np.maximum.accumulate(before)


@dataclass(frozen=True, slots=True, eq=False)
class SpanGrid:
    """The context tokens of some windows as rows; entries outside a context are -inf and never win.

    `start`, `start_char` are [num_windows, width]; `end`, `end_char` have max_answer_length - 1 columns more, so that
    the ends a start may take are always the next max_answer_length columns. `example` [num_windows] counts from 0.
    """

    start: Floats
    end: Floats
    start_char: Ints
    end_char: Ints
    example: Ints
    max_answer_length: int

    def take(self, rows: npt.NDArray[np.bool_]) -> SpanGrid:
        """The chosen windows, in their order."""
        return replace(
            self,
            start=self.start[rows],
            end=self.end[rows],
            start_char=self.start_char[rows],
            end_char=self.end_char[rows],
            example=self.example[rows],
        )

    @classmethod
    def of(
        cls, features: Features, logits: Logits, chars: TokenChars, examples: tuple[int, int], max_answer_length: int
    ) -> SpanGrid:
        """Lay out the windows of the examples [first, last)."""
        first, last = np.searchsorted(features.example_index, examples)
        begin, end = features.context_begin[first:last, None], features.context_end[first:last, None]
        width = max(1, int((end - begin).max()))
        reach = min(max_answer_length, width)
        column = begin + np.arange(width + reach - 1)
        inside = column < end
        token = np.where(inside, column + features.indptr[first:last, None], 0)

        def rows(values: npt.NDArray[Any], outside: float, columns: int | None = None) -> npt.NDArray[Any]:
            return np.where(inside[:, :columns], values[token[:, :columns]], outside)

        return cls(
            start=rows(logits.start, -np.inf, width).astype(np.float64),
            end=rows(logits.end, -np.inf).astype(np.float64),
            start_char=rows(chars.start, _OUTSIDE, width),
            end_char=rows(chars.end, _OUTSIDE),
            example=features.example_index[first:last].astype(np.int64) - examples[0],
            max_answer_length=reach,
        )


def best_spans(grid: SpanGrid, n_best_size: int) -> FlatSpans:
    """The best spans of every example, grouped by example, best first; ties by start_char, then end_char."""
    spans = distinct(_candidates(grid, n_best_size))
    # The sort is stable: spans with equal scores stay in the order of their characters.
    spans = spans.take(np.lexsort((-spans.score, spans.example)))
    rank = np.arange(len(spans.example)) - np.searchsorted(spans.example, spans.example)
    return spans.take(np.flatnonzero(rank < n_best_size))


def all_spans(grid: SpanGrid) -> FlatSpans:
    """Every legal span of every window, in no particular order; windows may repeat the same characters."""
    return _candidates(grid, grid.start.shape[1] + 1)


def distinct(spans: FlatSpans) -> FlatSpans:
    """Each distinct span once, with its best score; sorted by example, start_char, end_char."""
    if not len(spans.score):
        return spans
    limit = spans.end_char.max() + 1
    key = (spans.example * limit + spans.start_char) * limit + spans.end_char
    order = np.argsort(key)
    heads = np.flatnonzero(np.diff(key[order], prepend=-1))
    return spans.take(order[heads])._replace(score=np.maximum.reduceat(spans.score[order], heads))


def _candidates(grid: SpanGrid, n_best_size: int) -> FlatSpans:
    """Every span that may be among the best of its example, in no particular order."""
    best_from = grid.start + sliding(np.maximum, grid.end, grid.max_answer_length)
    floor = _floor(grid, best_from, n_best_size)[:, None]
    row, column = np.nonzero(best_from >= floor)
    ends_from = sliding_window_view(grid.end, grid.max_answer_length, axis=1)
    score = grid.start[row, column][:, None] + ends_from[row, column]
    which, length = np.nonzero(score >= floor[row])
    row, column, score = row[which], column[which], score[which, length]
    spans = FlatSpans(grid.example[row], grid.start_char[row, column], grid.end_char[row, column + length], score)
    return spans.take(np.flatnonzero(spans.start_char < spans.end_char))


def _floor(grid: SpanGrid, best_from: Floats, n_best_size: int) -> Floats:
    """A finite score [num_windows] that at least `n_best_size` distinct spans of the window's example reach.

    Where they have fewer it is the lowest number, which all legal spans reach. Counted are starts of one window whose
    start_char is higher than all before and whose every end makes a span: the best spans from them are legal and
    distinct.
    """
    width = best_from.shape[1]
    if n_best_size > width:
        return np.full(len(best_from), _LOWEST)
    highest = np.maximum.accumulate(grid.start_char, axis=1)
    counted = grid.start_char < sliding(np.minimum, grid.end_char, grid.max_answer_length)
    counted[:, 1:] &= grid.start_char[:, 1:] > highest[:, :-1]
    place = width - n_best_size
    floor = np.partition(np.where(counted, best_from, -np.inf), place, axis=1)[:, place]
    first_windows = np.flatnonzero(np.diff(grid.example, prepend=-1))
    of_example: Floats = np.maximum.reduceat(floor, first_windows)[grid.example]
    return np.maximum(of_example, _LOWEST)


def sliding(operation: np.ufunc, values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Reduce every `size` neighbouring columns by maximum or minimum; [n, m] -> [n, m - size + 1].

    >>> sliding(np.maximum, np.array([[3, 1, 2, 0, 0]]), 3).tolist()
    [[3, 2, 2]]
    """
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        values = operation(values[:, :-step], values[:, step:])
        covered += step
    return values
