"""Logits to answers: the best legal spans of each example over all its windows, and whether to answer at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.evaluation.logits import Logits, check_logits
from qaexp.evaluation.spans import SpanGrid, best_spans, trimmed_offsets

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

# `null_score_diff` of an example without a legal span: finite, so that it sorts and is stored like any other.
NO_SPAN_DIFF = 1e6

# Examples decoded together, so that their padded arrays fit into the processor's cache.
EXAMPLES_PER_BLOCK = 64


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
        """The text of the best non-empty span, whatever the null score; empty only without a legal span."""
        return self.n_best[0].text if self.n_best else ""

    def text_at(self, null_threshold: float) -> str:
        """The answer at a threshold: empty if null_score_diff > `null_threshold`."""
        return "" if self.null_score_diff > null_threshold else self.span_text


def decode(
    examples: Sequence[Example],
    features: Features,
    logits: Logits,
    *,
    n_best_size: int,
    max_answer_length: int,
    allow_no_answer: bool,
) -> list[Prediction]:
    """Find the `n_best_size` best spans of each example over all its windows, and answer with the best.

    A span is legal when both ends are in the window's context, it has at most `max_answer_length` tokens, and something
    is left of it without surrounding whitespace. The same characters found in several windows count once, with their
    best score. Equal scores: the smaller start_char first, then the smaller end_char. The null score is the smallest
    of start + end logit at the null position of any window (as in BERT's run_squad.py); nothing is answered where
    `allow_no_answer` and null_score_diff > 0.

    Returns:
        One prediction per example, in order.

    Raises:
        IntegrityError: The logits do not belong to these features and examples.
        DivergedError: A logit is NaN or infinite.
    """
    check_logits(examples, features, logits)
    if not examples:
        return []
    nulls = null_scores(features, logits).tolist()
    token_chars = trimmed_offsets([example.context for example in examples], features)
    predictions: list[Prediction] = []
    for first in range(0, len(examples), EXAMPLES_PER_BLOCK):
        last = min(first + EXAMPLES_PER_BLOCK, len(examples))
        block = examples[first:last]
        grid = SpanGrid.of(features, logits, token_chars, (first, last), max_answer_length)
        n_bests = _n_best(block, grid, n_best_size)
        for example, null_score, n_best in zip(block, nulls[first:last], n_bests, strict=True):
            diff = null_score - n_best[0].score if n_best else NO_SPAN_DIFF
            text = "" if not n_best or (allow_no_answer and diff > 0) else n_best[0].text
            predictions.append(Prediction(example.id, text, diff, n_best))
    return predictions


def null_scores(features: Features, logits: Logits) -> npt.NDArray[np.float64]:
    """The null score of each example, float64 [num_examples]."""
    position = features.indptr[:-1] + features.null_position
    scores = logits.start[position].astype(np.float64) + logits.end[position]
    first_windows = np.flatnonzero(np.diff(features.example_index, prepend=-1))
    lowest: npt.NDArray[np.float64] = np.minimum.reduceat(scores, first_windows)
    return lowest


def _n_best(examples: Sequence[Example], grid: SpanGrid, n_best_size: int) -> Iterator[tuple[Span, ...]]:
    """The best spans of each example with their text, best first."""
    best = best_spans(grid, n_best_size)
    scores, begins, ends = best.score.tolist(), best.start_char.tolist(), best.end_char.tolist()
    bounds = np.searchsorted(best.example, np.arange(len(examples) + 1)).tolist()
    for example, first, last in zip(examples, bounds[:-1], bounds[1:], strict=True):
        context, rows = example.context, slice(first, last)
        texts = [context[begin:end] for begin, end in zip(begins[rows], ends[rows], strict=True)]
        yield tuple(map(Span, texts, scores[rows], begins[rows], ends[rows]))
