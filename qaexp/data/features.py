"""Examples to features: windows of tokens with their labels, held in flat unpadded columns."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.encoding import EncodedExamples, RowFormat, encoder
from qaexp.data.rows import lay_out
from qaexp.data.squad import Example
from qaexp.data.tokenization import check_tokenizer
from qaexp.data.windows import Ints
from qaexp.errors.advice import named

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Features", "build_features", "check_tokenizer", "warn_truncated_questions"]

_log = logging.getLogger("qaexp")


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

    @property
    def is_null(self) -> NDArray[np.bool_]:
        """Whether a window does not hold a whole answer, bool `[num_features]`."""
        found: NDArray[np.bool_] = (self.start_position == self.null_position) & (
            self.end_position == self.null_position
        )
        return found

    def kept(self, is_kept: NDArray[np.bool_]) -> Features:
        """Those features for which it is true, bool `[num_features]`."""
        is_kept_token = np.repeat(is_kept, self.lengths)
        columns = {
            name: column[is_kept_token if name in _TOKEN_COLUMNS else is_kept]
            for name, column in self.columns().items()
            if name != "indptr"
        }
        indptr = np.concatenate([[0], np.cumsum(self.lengths[is_kept])])
        return Features(indptr=indptr, **columns, num_truncated_questions=self.num_truncated_questions)

    def in_order(self, positions: Ints) -> Features:
        """The features that examples in another order would have.

        Args:
            positions: `[num_examples]`, where each example is in the other order.
        """
        example_index = positions[self.example_index]
        rows = np.argsort(example_index, kind="stable")
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        tokens = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1][rows] - indptr[:-1], lengths)
        columns = {
            name: column[tokens if name in _TOKEN_COLUMNS else rows]
            for name, column in self.columns().items()
            if name not in ("indptr", "example_index")
        }
        return Features(
            indptr=indptr,
            example_index=_int32(example_index[rows]),
            **columns,
            num_truncated_questions=self.num_truncated_questions,
        )

    def held(self, indices: Ints) -> tuple[Features, Ints]:
        """Some features for a batch: features in memory, and their numbers there."""
        return self, indices

    def whole(self) -> Features:
        """All of them in memory."""
        return self

    def parts(self, examples: Sequence[Example]) -> Iterator[tuple[Ints, Sequence[Example], Features]]:
        """Yield all examples once, some at a time, with their features; what is in memory is one part.

        Args:
            examples: Those that the features were made of.

        Yields:
            The positions of some examples, these examples, and their features, whose `example_index` counts them.
        """
        yield np.arange(len(examples)), examples, self

    def with_examples(self, example_index: NDArray[np.int32]) -> Features:
        """The same features with other numbers of their examples, `[num_features]`."""
        return replace(self, example_index=example_index)

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
    with encoder(tokenizer, max_length=max_length, doc_stride=doc_stride) as made:
        encoded = made.encode(examples)
    features = features_of(encoded, made.row_format)
    warn_truncated_questions(features.num_truncated_questions)
    return features


def features_of(encoded: EncodedExamples, row_format: RowFormat) -> Features:
    """Lay out the windows of encoded examples."""
    rows = lay_out(
        row_format.template,
        encoded.windows,
        encoded.questions,
        encoded.contexts,
        is_question_first=row_format.is_question_first,
        with_types=row_format.with_types,
    )
    has_label = encoded.start >= 0
    return Features(
        rows.indptr,
        rows.input_ids,
        rows.token_type_ids,
        rows.offset_mapping,
        _int32(rows.context_begin),
        _int32(rows.context_end),
        _int32(rows.null_position),
        _int32(encoded.windows.example_index),
        _int32(np.where(has_label, rows.context_begin + encoded.start, rows.null_position)),
        _int32(np.where(has_label, rows.context_begin + encoded.end, rows.null_position)),
        encoded.num_truncated_questions,
    )


def warn_truncated_questions(number: int) -> None:
    """Log a warning when a number of questions, if any, were cut."""
    if number:
        _log.warning(
            "%d questions left no room for their context and were cut on the right; raise %s or lower %s to keep them "
            "whole",
            number,
            named("features.max_length"),
            named("features.doc_stride"),
        )


def _int32(values: Ints) -> NDArray[np.int32]:
    return values.astype(np.int32)
