"""Logits to answers: the best legal spans of each example over all its windows, exactly, without a Python loop over spans.

All spans count, not only pairs of the best starts and ends. What makes that cheap: a start can only matter if the best
span that begins there reaches the k-th best of such spans, so most starts drop out before any span is formed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qaexp.evaluation.logits import Logits, check_logits

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NO_SPAN_DIFF = 1e6
"""`null_score_diff` of an example without a legal span: finite, so that it sorts and is stored like any other."""

EXAMPLES_PER_BLOCK = 64
"""Decoded together: the padded arrays of a block stay in the processor's cache."""

_OUTSIDE = np.iinfo(np.int64).max
_BLANK = np.array([chr(code).isspace() for code in range(0x3001)] + [False])
"""Whether a character is whitespace, by code point; the last entry stands for all above (none is)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the context: `context[start_char:end_char] == text`; `score` = start logit + end logit."""

    text: str
    score: float
    start_char: int
    end_char: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one example.

    `text` is the best span, or empty where nothing is answered. `null_score_diff` = null score - best span score
    (positive: answer nothing; `NO_SPAN_DIFF` without a span). `n_best` holds distinct, non-empty spans, best first.
    """

    id: str
    text: str
    null_score_diff: float
    n_best: tuple[Span, ...]

    @property
    def span_text(self) -> str:
        """The best non-empty span, whatever the null score says; empty only where there is no legal span."""
        return self.n_best[0].text if self.n_best else ""


def decode(
    examples: Sequence[Example],
    features: Features,
    logits: Logits,
    *,
    n_best_size: int,
    max_answer_length: int,
    allow_no_answer: bool,
) -> list[Prediction]:
    """Find the `n_best_size` best spans of each example over all its windows.

    A span is legal when both ends are in the window's context, it has at most `max_answer_length` tokens, and something
    is left of it without surrounding whitespace. The same characters found in several windows count once, with their
    best score. Equal scores: the smaller start_char first, then the smaller end_char. The null score is the smallest
    of start + end logit at the null position of any window (as in BERT's run_squad.py); nothing is answered where
    `allow_no_answer` and null_score_diff > 0.

    Returns:
        One prediction per example, in their order.

    Raises:
        IntegrityError: The logits do not belong to these features and examples.
        DivergedError: A logit is NaN or infinite.
    """
    check_logits(examples, features, logits)
    null_scores = _null_scores(features, logits)
    trimmed = _trimmed_offsets(examples, features)
    predictions: list[Prediction] = []
    for first in range(0, len(examples), EXAMPLES_PER_BLOCK):
        block = examples[first : first + EXAMPLES_PER_BLOCK]
        windows = _Windows.of(features, logits, trimmed, (first, first + len(block)), max_answer_length)
        n_best = windows.best_spans(block, n_best_size)
        predictions.extend(map(_prediction, block, null_scores[first:], n_best, [allow_no_answer] * len(block)))
    return predictions


def _prediction(example: Example, null_score: np.float64, n_best: tuple[Span, ...], allow_no_answer: bool) -> Prediction:
    diff = float(null_score) - n_best[0].score if n_best else NO_SPAN_DIFF
    text = "" if not n_best or (allow_no_answer and diff > 0) else n_best[0].text
    return Prediction(example.id, text, diff, n_best)


def _null_scores(features: Features, logits: Logits) -> Floats:
    """The null score of each example, float64 [num_examples]."""
    if not len(features):
        return np.zeros(0)
    position = features.indptr[:-1] + features.null_position
    scores = logits.start[position].astype(np.float64) + logits.end[position]
    first_windows = np.flatnonzero(np.diff(features.example_index, prepend=-1))
    lowest: Floats = np.minimum.reduceat(scores, first_windows)
    return lowest


def _trimmed_offsets(examples: Sequence[Example], features: Features) -> tuple[Ints, Ints]:
    """start_char and end_char of every token, without the whitespace that surrounds it; int64 [num_tokens] each.

    A span from token i to token j is `context[start_char[i]:end_char[j]]`, stripped; it is empty where
    start_char[i] >= end_char[j]. All contexts are looked at as one long text: a position that leaves its own context
    had only whitespace before it, and makes an empty span.
    """
    bases: dict[str, int] = {}
    length = 0
    for example in examples:
        if example.context not in bases:
            bases[example.context] = length
            length += len(example.context)
    next_solid, solid_end = _solid_bounds("".join(bases))
    base_of_example = np.array([bases[example.context] for example in examples], dtype=np.int64)
    base = np.repeat(base_of_example[features.example_index], np.diff(features.indptr))
    return next_solid[base + features.offset_mapping[:, 0]] - base, solid_end[base + features.offset_mapping[:, 1]] - base


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


@dataclass(frozen=True, slots=True)
class _Windows:
    """The context tokens of some windows as rows; what is outside a context cannot win (-inf) and is no span.

    `start`, `start_char` are [num_windows, width]; `end`, `end_char` have max_answer_length - 1 columns more, so that
    the ends a start may take are always the next max_answer_length columns. `example` [num_windows] counts from 0.
    """

    start: Floats
    end: Floats
    start_char: Ints
    end_char: Ints
    example: Ints
    max_answer_length: int

    @classmethod
    def of(
        cls,
        features: Features,
        logits: Logits,
        trimmed: tuple[Ints, Ints],
        examples: tuple[int, int],
        max_answer_length: int,
    ) -> _Windows:
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
            start_char=rows(trimmed[0], _OUTSIDE, width),
            end_char=rows(trimmed[1], _OUTSIDE),
            example=features.example_index[first:last].astype(np.int64) - examples[0],
            max_answer_length=reach,
        )

    def best_spans(self, examples: Sequence[Example], n_best_size: int) -> Iterator[tuple[Span, ...]]:
        """The best spans of each example, best first."""
        example, start_char, end_char, score = self._candidates(n_best_size)
        # The same characters next to each other, the best score first: the others of them go.
        order = np.lexsort((-score, end_char, start_char, example))
        example, start_char, end_char, score = (column[order] for column in (example, start_char, end_char, score))
        same = (np.diff(example) == 0) & (np.diff(start_char) == 0) & (np.diff(end_char) == 0)
        kept = np.flatnonzero(np.append(True, ~same))[: len(score)]
        # Stable, so that spans with equal scores stay in the order of their characters.
        kept = kept[np.lexsort((-score[kept], example[kept]))]
        bounds = np.searchsorted(example[kept], np.arange(len(examples) + 1))
        for index, this in enumerate(examples):
            best = kept[bounds[index] : min(bounds[index + 1], bounds[index] + n_best_size)]
            columns = score[best].tolist(), start_char[best].tolist(), end_char[best].tolist()
            yield tuple(Span(this.context[begin:end], value, begin, end) for value, begin, end in zip(*columns, strict=True))

    def _candidates(self, n_best_size: int) -> tuple[Ints, Ints, Ints, Floats]:
        """Every span that may be among the best of its example: example, start_char, end_char, score (flat)."""
        best_from = self.start + _sliding(np.maximum, self.end, self.max_answer_length)
        floor = self._floor(best_from, n_best_size)
        row, column = np.nonzero((best_from >= floor[:, None]) & (best_from > -np.inf))
        ends = column[:, None] + np.arange(self.max_answer_length)
        score = self.start[row, column][:, None] + self.end[row[:, None], ends]
        start_char, end_char = self.start_char[row, column][:, None], self.end_char[row[:, None], ends]
        which, end = np.nonzero((score >= floor[row][:, None]) & (score > -np.inf) & (start_char < end_char))
        return self.example[row[which]], start_char[which, 0], end_char[which, end], score[which, end]

    def _floor(self, best_from: Floats, n_best_size: int) -> Floats:
        """A score [num_windows] that at least `n_best_size` distinct spans of the window's example reach, or -inf.

        Counted are starts of one window whose start_char was not there before and whose every end makes a span: the
        best spans from them are legal and distinct.
        """
        width = best_from.shape[1]
        if n_best_size > width:
            return np.full(len(best_from), -np.inf)
        highest = np.maximum.accumulate(self.start_char, axis=1)
        counted = self.start_char < _sliding(np.minimum, self.end_char, self.max_answer_length)
        counted[:, 1:] &= self.start_char[:, 1:] > highest[:, :-1]
        place = width - n_best_size
        floor = np.partition(np.where(counted, best_from, -np.inf), place, axis=1)[:, place]
        first_windows = np.flatnonzero(np.diff(self.example, prepend=-1))
        of_example: Floats = np.maximum.reduceat(floor, first_windows)[self.example]
        return of_example


def _sliding(operation: np.ufunc, values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Reduce every `size` neighbouring columns by maximum or minimum; [n, m] -> [n, m - size + 1].

    >>> _sliding(np.maximum, np.array([[3, 1, 2, 0, 0]]), 3).tolist()
    [[3, 2, 2]]
    """
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        values = operation(values[:, :-step], values[:, step:])
        covered += step
    return values
