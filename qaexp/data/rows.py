"""Rows of tokens: questions, windows of contexts and special tokens laid out as a tokenizer lays out a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qaexp.data.tokenization import EncodedTexts, PairTemplate
from qaexp.data.windows import Ints, Windows, ranges

# A row has five parts: special tokens, the first text, special tokens, the second text, special tokens.
_NUM_PARTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The columns of Features that the layout decides; see there."""

    indptr: Ints
    input_ids: NDArray[np.int32]
    token_type_ids: NDArray[np.uint8]
    offset_mapping: NDArray[np.int32]
    context_begin: Ints
    context_end: Ints
    null_position: Ints


def lay_out(
    template: PairTemplate,
    windows: Windows,
    questions: tuple[EncodedTexts, Ints],
    contexts: tuple[EncodedTexts, Ints],
    *,
    is_question_first: bool,
    with_types: bool,
) -> Rows:
    """Lay out one row per window.

    All tokens stand once in a pool; a row is five stretches of it, so that one gather makes each column.

    Args:
        template: The special tokens around the texts.
        windows: Which part of which context.
        questions: The distinct questions, and the number of each example's question there.
        contexts: The same for contexts.
        is_question_first: Whether the pair is (question, context) or (context, question).
        with_types: Whether the model knows token types; without, all are 0.
    """
    question_part, context_part = (1, 3) if is_question_first else (3, 1)
    begin = np.empty((len(windows.example_index), _NUM_PARTS), np.int64)
    counts = np.empty_like(begin)
    special_lengths = [len(part) for part in template.specials]
    begin[:, 0::2] = np.cumsum([0, *special_lengths[:2]])
    counts[:, 0::2] = special_lengths
    example = windows.example_index
    begin[:, question_part] = template.num_specials + questions[0].indptr[questions[1][example]]
    counts[:, question_part] = windows.question_lengths[example]
    begin[:, context_part] = (
        template.num_specials + len(questions[0].ids) + contexts[0].indptr[contexts[1][example]] + windows.begin
    )
    counts[:, context_part] = windows.end - windows.begin

    tokens = ranges(begin.ravel(), counts.ravel())
    ids, types, offsets = _pool(template, questions[0], contexts[0], is_question_first)
    part_begin = np.cumsum(counts, axis=1) - counts
    return Rows(
        indptr=np.concatenate([[0], np.cumsum(counts.sum(axis=1))]),
        input_ids=ids[tokens],
        token_type_ids=types[tokens] if with_types else np.zeros(len(tokens), np.uint8),
        offset_mapping=offsets[tokens],
        context_begin=part_begin[:, context_part],
        context_end=part_begin[:, context_part] + counts[:, context_part],
        null_position=part_begin[:, 2 * template.null_part] + template.null_index,
    )


def _pool(
    template: PairTemplate, questions: EncodedTexts, contexts: EncodedTexts, is_question_first: bool
) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32]]:
    """Return ids, types and offsets of all special tokens, then all questions, then all contexts."""
    specials = np.array([id for part in template.specials for id in part], np.int32)
    special_types = np.array([type for part in template.special_types for type in part], np.uint8)
    question_type, context_type = template.text_types if is_question_first else template.text_types[::-1]
    ids = np.concatenate([specials, questions.ids, contexts.ids])
    types = np.concatenate(
        [
            special_types,
            np.full(len(questions.ids), question_type, np.uint8),
            np.full(len(contexts.ids), context_type, np.uint8),
        ]
    )
    # Only tokens of the context have a place in it.
    offsets = np.zeros((len(ids), 2), np.int32)
    offsets[len(ids) - len(contexts.ids) :] = contexts.offsets
    return ids, types, offsets
