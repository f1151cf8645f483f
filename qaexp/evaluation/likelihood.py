"""How probable a model finds the gold answers: their negative log-likelihood among all answers that it could give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.data.windows import ranges
from qaexp.evaluation.decoding import EXAMPLES_PER_BLOCK, null_scores
from qaexp.evaluation.merged_windows import can_merge, merge
from qaexp.evaluation.spans import FlatSpans, Floats, Ints, SpanGrid, all_spans, distinct, sliding, trimmed_offsets

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Answer, Example
    from qaexp.evaluation.logits import Logits

Bools = npt.NDArray[np.bool_]
Sums = tuple[Floats, Floats, Floats]


def gold_nll(
    examples: Sequence[Example], features: Features, logits: Logits, *, max_answer_length: int, allow_no_answer: bool
) -> Floats | None:
    """The negative log-likelihood of the gold answers of each example, in nats; 0 is certainty.

    The candidates are the spans that decoding searches (the same characters once, with their best score over all
    windows), the gold spans whatever their length, and, where `allow_no_answer`, "no answer" with the null score. Their
    probabilities are the softmax of their scores. The gold ones are "no answer" for an example without answers, else
    the spans of all tokens that a gold answer touches, in any window that holds them all; their probabilities add up.

    Where none of the candidates is gold, as no window holds a gold answer whole or as answers may not be empty, the
    gold answer counts as one more candidate with the lowest score of all: no better than if it were one. Without any
    candidate it is one of two.

    Returns:
        float64 [num_examples]; None where a question has answers, and of none it is known at which character it begins.
    """
    if any(example.answers and not _placed(example) for example in examples):
        return None
    found = np.empty(len(examples))
    nulls = null_scores(features, logits) if examples else found
    chars = trimmed_offsets([example.context for example in examples], features)
    for first in range(0, len(examples), EXAMPLES_PER_BLOCK):
        block = examples[first : first + EXAMPLES_PER_BLOCK]
        last = first + len(block)
        total, gold, low = _sums(block, SpanGrid.of(features, logits, chars, (first, last), max_answer_length))
        if allow_no_answer:
            null = nulls[first:last]
            total, low = np.logaddexp(total, null), np.minimum(low, null)
            gold = np.where([example.is_impossible for example in block], null, gold)
        found[first:last] = _nll(total, gold, low)
    return found


def log_totals(
    examples: Sequence[Example], features: Features, logits: Logits, *, max_answer_length: int, allow_no_answer: bool
) -> Floats:
    """The log of the sum of the exponentials of all that each example could be answered with.

    That is every span that decoding searches and, where `allow_no_answer`, "no answer": a score less this one is the
    log of a probability.

    Returns:
        float64 [num_examples]; -inf where there is nothing.
    """
    found = np.full(len(examples), -np.inf)
    nulls = null_scores(features, logits) if examples else found
    chars = trimmed_offsets([example.context for example in examples], features)
    for first in range(0, len(examples), EXAMPLES_PER_BLOCK):
        block = [replace(example, answers=()) for example in examples[first : first + EXAMPLES_PER_BLOCK]]
        last = first + len(block)
        total, _, _ = _sums(block, SpanGrid.of(features, logits, chars, (first, last), max_answer_length))
        found[first:last] = np.logaddexp(total, nulls[first:last]) if allow_no_answer else total
    return found


def _placed(example: Example) -> tuple[Answer, ...]:
    return tuple(answer for answer in example.answers if answer.start_char >= 0)


def _nll(total: Floats, gold: Floats, low: Floats) -> Floats:
    """The result, from the log of the sum over all candidates, that over the gold ones, and the lowest score.

    >>> inf = np.inf
    >>> _nll(np.log([2, 2, 0.0 + 1e-300]), np.array([0.0, -inf, -inf]), np.array([0.0, 0.0, inf])).round(2).tolist()
    [0.69, 1.1, 0.69]
    """
    is_lost, is_empty = np.isneginf(gold), np.isposinf(low)
    total, low = np.where(is_empty, 0.0, total), np.where(is_empty, 0.0, low)
    found: Floats = np.where(is_lost, np.logaddexp(total, low) - low, total - np.where(is_lost, low, gold))
    return np.maximum(found, 0.0)


def _sums(examples: Sequence[Example], grid: SpanGrid) -> Sums:
    """The log of the sum over all spans of each example, that over its gold ones, and the lowest score of a span."""
    golds, is_long = _gold_spans(examples, grid)
    is_plain = _are_plain(grid, len(examples))
    is_plain[golds.example[is_long]] = False
    kinds = [(_plain_sums, is_plain)]
    if not is_plain.all():
        is_merged = ~is_plain
        is_merged[golds.example[is_long]] = False
        is_merged[is_merged] = can_merge(grid.take(is_merged[grid.example]), len(examples))[is_merged]
        kinds += [(_merged_sums, is_merged), (_crowded_sums, ~is_plain & ~is_merged)]
    found = tuple(np.empty(len(examples)) for _ in range(3))
    for sums, chosen in kinds:
        if chosen.any():
            windows, own = grid.take(chosen[grid.example]), golds.take(np.flatnonzero(chosen[golds.example]))
            for column, values in zip(found, sums(windows, own, len(examples)), strict=True):
                column[chosen] = values[chosen]
    return found[0], found[1], found[2]


def _gold_spans(examples: Sequence[Example], grid: SpanGrid) -> tuple[FlatSpans, Bools]:
    """The tokens that each gold answer touches, as a span, once for each window that holds them all.

    Returns:
        The spans, and which are longer than decoding allows.
    """
    golds = [(index, answer) for index, example in enumerate(examples) for answer in dict.fromkeys(_placed(example))]
    places = np.array([(index, answer.start_char, answer.end_char) for index, answer in golds], np.int64)
    of_example, begin, end = places.reshape(-1, 3).T
    heads = np.searchsorted(grid.example, of_example)
    counts = np.searchsorted(grid.example, of_example + 1) - heads
    gold, row = np.repeat(np.arange(len(golds)), counts), ranges(heads, counts)
    start_char, end_char = grid.start_char[row], grid.end_char[row, : grid.start.shape[1]]
    touched = (start_char < end_char) & (start_char < end[gold, None]) & (end_char > begin[gold, None])
    kept = touched.any(axis=1)
    gold, row, touched = gold[kept], row[kept], touched[kept]
    first, last = touched.argmax(axis=1), touched.shape[1] - 1 - touched[:, ::-1].argmax(axis=1)
    score = grid.start[row, first] + grid.end[row, last]
    spans = FlatSpans(grid.example[row], grid.start_char[row, first], grid.end_char[row, last], score)
    # All windows together touch all tokens of an answer: where it begins later or ends sooner, a part is missing.
    lowest, highest = np.full(len(golds), np.iinfo(np.int64).max), np.zeros(len(golds), np.int64)
    np.minimum.at(lowest, gold, spans.start_char)
    np.maximum.at(highest, gold, spans.end_char)
    is_whole = (spans.start_char == lowest[gold]) & (spans.end_char == highest[gold])
    whole = np.flatnonzero(is_whole & (spans.start_char < spans.end_char))
    return spans.take(whole), (last - first >= grid.max_answer_length)[whole]


def _are_plain(grid: SpanGrid, num_examples: int) -> Bools:
    """Which examples have one window, and in it no two spans of the same characters, nor an empty one."""
    width = grid.start.shape[1]
    inside = np.isfinite(grid.start)
    start, end = grid.start_char, grid.end_char[:, :width]
    rises = (start[:, 1:] > start[:, :-1]) & (end[:, 1:] > end[:, :-1])
    found: Bools = np.bincount(grid.example, minlength=num_examples) == 1
    found[grid.example] &= (rises | ~inside[:, 1:]).all(axis=1) & ((start < end) | ~inside).all(axis=1)
    return found


def _plain_sums(grid: SpanGrid, golds: FlatSpans, num_examples: int) -> Sums:
    """As `_sums`, for plain examples; of others it means nothing."""
    total, low = np.full(num_examples, -np.inf), np.full(num_examples, np.inf)
    total[grid.example] = np.logaddexp.reduce(grid.start + _sliding_log_sum(grid.end, grid.max_answer_length), axis=1)
    start, end = (np.where(np.isfinite(values), values, np.inf) for values in (grid.start, grid.end))
    low[grid.example] = (start + sliding(np.minimum, end, grid.max_answer_length)).min(axis=1)
    golds = distinct(golds)
    return total, _log_sum(golds.example, golds.score, num_examples), low


def _merged_sums(grid: SpanGrid, golds: FlatSpans, num_examples: int) -> Sums:
    """As `_sums`, for examples whose windows are stretches of one text, with gold answers of a legal length."""
    merged = merge(grid)
    top, low = np.full(num_examples, -np.inf), np.full(num_examples, np.inf)
    np.maximum.at(top, merged.example, merged.scores.max(axis=1))
    np.minimum.at(low, merged.example, np.where(np.isneginf(merged.scores), np.inf, merged.scores).min(axis=1))
    # What no window holds adds nothing, so that the sums are those over the spans alone, in the order of the spans.
    weights = np.exp(merged.scores - top[merged.example][:, None]).ravel()
    sums = np.bincount(np.repeat(merged.example, merged.scores.shape[1]), weights, num_examples)
    with np.errstate(divide="ignore"):
        total = top + np.log(sums)
    golds = distinct(golds)
    best = merged.scores[merged.places(golds.example, golds.start_char, golds.end_char)]
    return total, _log_sum(golds.example, best, num_examples), low


def _crowded_sums(grid: SpanGrid, golds: FlatSpans, num_examples: int) -> Sums:
    """As `_sums`, for any examples, span by span."""
    spans = distinct(golds.followed_by(all_spans(grid)))
    is_gold = np.isin(_keys(spans), _keys(golds))
    low = np.full(num_examples, np.inf)
    np.minimum.at(low, spans.example, spans.score)
    total = _log_sum(spans.example, spans.score, num_examples)
    return total, _log_sum(spans.example[is_gold], spans.score[is_gold], num_examples), low


def _keys(spans: FlatSpans) -> Ints:
    """One number for the example and the characters of each span."""
    return (spans.example << 56) | (spans.start_char << 28) | spans.end_char


def _log_sum(example: Ints, score: Floats, num_examples: int) -> Floats:
    """The log of the sum of the exponentials of each example's scores; -inf without any."""
    top = np.full(num_examples, -np.inf)
    np.maximum.at(top, example, score)
    with np.errstate(divide="ignore"):
        return top + np.log(np.bincount(example, np.exp(score - top[example]), num_examples))


def _sliding_log_sum(values: Floats, size: int) -> Floats:
    """The log of the sum of the exponentials of every `size` neighbouring columns; [n, m] -> [n, m - size + 1].

    >>> np.exp(_sliding_log_sum(np.log([[3.0, 1.0, 2.0, 4.0]]), 3)).round(6).tolist()
    [[6.0, 7.0]]
    """
    width = values.shape[1] - size + 1
    found, covered, step = np.full((len(values), width), -np.inf), 0, 1
    while True:
        # `values` are sums over `step` columns.
        if size & step:
            found = np.logaddexp(found, values[:, covered : covered + width])
            covered += step
        if covered == size:
            return found
        values = np.logaddexp(values[:, :-step], values[:, step:])
        step *= 2
