"""Where windows lie and which tokens an answer takes: arithmetic on arrays, without any text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
# Windows that are labelled together: bounds the memory of the arrays in between.
_WINDOWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of all examples, in the order of the examples.

    Attributes:
        question_lengths: int64 `[num_examples]`, question tokens that are kept.
        example_index: int64 `[num_windows]`.
        begin: int64 `[num_windows]`, the first context token of the window.
        end: int64 `[num_windows]`, the context token after its last.
    """

    question_lengths: Ints
    example_index: Ints
    begin: Ints
    end: Ints


def cut_windows(
    question_lengths: Ints, context_lengths: Ints, *, room: int, doc_stride: int, from_the_end: bool = False
) -> Windows:
    """Cut contexts into windows as the overflow of a fast tokenizer does.

    A question is cut from the right only where it leaves a context that does not fit less than `doc_stride + 1` tokens,
    with which windows could not advance.

    Args:
        question_lengths: Tokens of each example's question, `[num_examples]`.
        context_lengths: Tokens of each example's context, `[num_examples]`.
        room: Tokens of a window for question and context together, at least `doc_stride + 2`.
        doc_stride: Tokens that neighbouring windows share.
        from_the_end: Whether the first window holds the end of the context (a tokenizer that truncates on the left).

    >>> windows = cut_windows(np.array([2]), np.array([10]), room=8, doc_stride=2)
    >>> windows.begin, windows.end
    (array([0, 4]), array([ 6, 10]))
    """
    kept = np.minimum(question_lengths, room - np.minimum(context_lengths, doc_stride + 1))
    width = room - kept
    # Where a context fits whole, width may be smaller than the stride; there the step does not matter.
    step = np.maximum(width - doc_stride, 1)
    counts = 1 - np.minimum((width - context_lengths) // step, 0)
    example_index = np.repeat(np.arange(len(counts)), counts)
    begin = ranges(np.zeros_like(counts), counts) * step[example_index]
    length = context_lengths[example_index]
    end = np.minimum(begin + width[example_index], length)
    if from_the_end:
        begin, end = length - end, length - begin
    return Windows(kept, example_index, begin, end)


def ranges(begin: Ints, counts: Ints) -> Ints:
    """Return `arange(begin[i], begin[i] + counts[i])` for every i, one after the other.

    >>> ranges(np.array([5, 0, 7]), np.array([2, 0, 3]))
    array([5, 6, 7, 8, 9])
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(begin - ends + counts, counts) + np.arange(total)


def label_windows(
    offsets: NDArray[np.int32], begin: Ints, end: Ints, start_char: Ints, end_char: Ints
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Find the tokens of an answer in windows, by the rule of transformers' `run_qa.py`.

    A window holds the answer when its first token starts at or before `start_char` and its last one ends at or after
    `end_char`. The start is then the token before the first one that starts after `start_char`, the end the token after
    the last one that ends before `end_char`. That script lets the search for the start run on over the special tokens
    behind the context; here it stays inside. Nothing is assumed about the order of offsets. Several byte-level tokens
    may share a character; an answer of one such character starts at a later token than it ends, as in that script: the
    caller puts the two in order.

    Args:
        offsets: `[num_tokens, 2]`, start_char and end_char (exclusive) of tokens.
        begin: The first token of each window, `[num_windows]`; windows are not empty.
        end: The token after its last.
        start_char: Where the answer starts.
        end_char: The character after the answer.

    Returns:
        Start tokens and end tokens (inclusive), counted from the window's first token, and whether the window holds the
        answer; where it does not, the tokens mean nothing.
    """
    is_inside = (offsets[begin, 0] <= start_char) & (offsets[end - 1, 1] >= end_char)
    start, last = np.zeros_like(begin), np.zeros_like(begin)
    holders = np.flatnonzero(is_inside)
    for first in range(0, len(holders), _WINDOWS_AT_ONCE):
        rows = holders[first : first + _WINDOWS_AT_ONCE]
        counts = end[rows] - begin[rows]
        heads = np.cumsum(counts) - counts
        tokens, number = ranges(begin[rows], counts), ranges(np.zeros_like(counts), counts)
        is_after = offsets[tokens, 0] > np.repeat(start_char[rows], counts)
        is_before = offsets[tokens, 1] < np.repeat(end_char[rows], counts)
        start[rows] = np.minimum.reduceat(np.where(is_after, number, np.repeat(counts, counts)), heads) - 1
        last[rows] = np.maximum.reduceat(np.where(is_before, number, -1), heads) + 1
    return start, last, is_inside
