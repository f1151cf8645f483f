"""Examples to features: windows of tokens with their labels, held in flat unpadded columns."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.edges import label_chars
from qaexp.data.rows import Rows, lay_out
from qaexp.data.squad import Example
from qaexp.data.tokenization import check_tokenizer, distinct, encode_texts, pair_template, plain_backend
from qaexp.data.windows import Ints, Windows, cut_windows, label_windows
from qaexp.errors import DataError
from qaexp.errors.advice import named, setting
from qaexp.errors.rules import refuse, room_problems

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Features", "build_features", "check_tokenizer", "warn_truncated_questions"]

_log = logging.getLogger("qaexp")
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of examples, unpadded; row i of a token column is `column[indptr[i]:indptr[i + 1]]`.

    Attributes:
        indptr: int64 `[num_features + 1]`.
        input_ids: int32 `[num_tokens]`.
        token_type_ids: uint8 `[num_tokens]`; 0 everywhere for a model without them.
        offset_mapping: int32 `[num_tokens, 2]`, start_char and end_char (exclusive) in the context; (0, 0) for question
            and special tokens.
        context_begin: int32 `[num_features]`, the first context token inside the row.
        context_end: int32 `[num_features]`, the token after the last context token.
        null_position: int32 `[num_features]`, the CLS token inside the row.
        example_index: int32 `[num_features]`, into the examples given; non-decreasing.
        start_position: int32 `[num_features]`, label inside the row; null_position where the window does not hold the
            whole answer.
        end_position: int32 `[num_features]`, the same for the answer's last token (inclusive).
        num_truncated_questions: Examples whose question had to be cut.
    """

    indptr: NDArray[np.int64]
    input_ids: NDArray[np.int32]
    token_type_ids: NDArray[np.uint8]
    offset_mapping: NDArray[np.int32]
    context_begin: NDArray[np.int32]
    context_end: NDArray[np.int32]
    null_position: NDArray[np.int32]
    example_index: NDArray[np.int32]
    start_position: NDArray[np.int32]
    end_position: NDArray[np.int32]
    num_truncated_questions: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def num_tokens(self) -> int:
        """Tokens of all features."""
        return len(self.input_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each feature, int64 `[num_features]`."""
        return np.diff(self.indptr)

    def row(self, index: int) -> dict[str, Any]:
        """Return one feature as plain Python values, for looking at it."""
        tokens = slice(self.indptr[index], self.indptr[index + 1])
        return {
            name: column[tokens].tolist() if name in _TOKEN_COLUMNS else int(column[index])
            for name, column in self.columns().items()
            if name != "indptr"
        }

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "num_truncated_questions"}


_TOKEN_COLUMNS = ("input_ids", "token_type_ids", "offset_mapping")


def build_features(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, *, max_length: int, doc_stride: int
) -> Features:
    """Make features, equal to the windows of the tokenizer's own overflow (`return_overflowing_tokens`).

    The pair is (question, context), or (context, question) for a tokenizer that pads on the left. White space before a
    question is dropped. Labels come from the first answer: its tokens, without white space at its edges and what no
    token stands for there. Each distinct text is tokenised once.

    Args:
        examples: In any order; features come in the same one.
        tokenizer: A fast one; its settings are untouched.
        max_length: Tokens of a feature, question and special tokens included.
        doc_stride: Tokens of context that neighbouring windows share.

    Raises:
        ConfigError: The tokenizer does not fit, or max_length leaves no room beside doc_stride.
        DataError: A text holds a lone surrogate, which has no UTF-8.
    """
    check_tokenizer(tokenizer)
    _refuse_surrogates(examples)
    contexts, context_index = distinct(example.context for example in examples)
    questions, question_index = distinct(example.question.lstrip() for example in examples)
    with plain_backend(tokenizer) as backend:
        template = pair_template(backend, tokenizer.cls_token_id)
        refuse(room_problems(max_length, doc_stride, template.num_specials))
        context_tokens = encode_texts(backend, contexts, with_offsets=True)
        question_tokens = encode_texts(backend, questions, with_offsets=False)
    wanted = question_tokens.lengths[question_index]
    windows = cut_windows(
        wanted,
        context_tokens.lengths[context_index],
        room=max_length - template.num_specials,
        doc_stride=doc_stride,
        from_the_end=tokenizer.truncation_side == "left",
    )
    rows = lay_out(
        template,
        windows,
        (question_tokens, question_index),
        (context_tokens, context_index),
        is_question_first=tokenizer.padding_side == "right",
        with_types="token_type_ids" in tokenizer.model_input_names,
    )
    answers = [example.answers[0] if example.answers else None for example in examples]
    chars = label_chars(answers, contexts, context_tokens, context_index)
    start_position, end_position = _labels(chars, windows, rows)
    features = Features(
        rows.indptr,
        rows.input_ids,
        rows.token_type_ids,
        rows.offset_mapping,
        _int32(rows.context_begin),
        _int32(rows.context_end),
        _int32(rows.null_position),
        _int32(windows.example_index),
        _int32(start_position),
        _int32(end_position),
        int(np.sum(windows.question_lengths < wanted)),
    )
    warn_truncated_questions(features)
    return features


def warn_truncated_questions(features: Features) -> None:
    """Log a warning when questions were cut."""
    if features.num_truncated_questions:
        _log.warning(
            "%d questions left no room for their context and were cut on the right; raise %s or lower %s to keep them "
            "whole",
            features.num_truncated_questions,
            named("features.max_length"),
            named("features.doc_stride"),
        )


def _labels(chars: tuple[Ints, Ints], windows: Windows, rows: Rows) -> tuple[Ints, Ints]:
    """Return start and end (inclusive) positions inside the rows; null_position without a whole answer.

    Args:
        chars: start_char and end_char (exclusive) of each example's label, -1 without one.
        windows: The windows of the examples.
        rows: Their tokens.
    """
    start_char, end_char = (column[windows.example_index] for column in chars)
    asked = np.flatnonzero((start_char >= 0) & (rows.context_begin < rows.context_end))
    heads = rows.indptr[:-1]
    start, end, is_inside = label_windows(
        rows.offset_mapping,
        (heads + rows.context_begin)[asked],
        (heads + rows.context_end)[asked],
        start_char[asked],
        end_char[asked],
    )
    holders = asked[is_inside]
    start_position, end_position = rows.null_position.copy(), rows.null_position.copy()
    # One character that is several byte-level tokens (an emoji, a rare script) would start at its last and end at its
    # first token: a label that no decoding can answer with.
    first, last = np.minimum(start, end)[is_inside], np.maximum(start, end)[is_inside]
    start_position[holders] = rows.context_begin[holders] + first
    end_position[holders] = rows.context_begin[holders] + last
    return start_position, end_position


def _refuse_surrogates(examples: Sequence[Example]) -> None:
    problems = [
        f"example {example.id!r}: its {name} holds a lone surrogate (half of a UTF-16 pair), which no tokenizer can "
        f"encode; correct the file, or leave such examples out with {setting('data.on_bad', 'skip')}"
        for example in examples
        for name, text in (("question", example.question), ("context", example.context))
        if not _is_encodable(text)
    ]
    if problems:
        raise DataError(*problems[:_MAX_PROBLEMS])


def _is_encodable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _int32(values: Ints) -> NDArray[np.int32]:
    return values.astype(np.int32)
