"""Texts to windows of tokens with their labels, some examples at a time; and the rows of tokens that windows are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qaexp.data.edges import label_chars
from qaexp.data.squad import Example
from qaexp.data.tokenization import (
    EncodedTexts,
    PairTemplate,
    check_tokenizer,
    distinct,
    encode_texts,
    pair_template,
    plain_backend,
)
from qaexp.data.windows import Ints, Windows, cut_windows, label_windows
from qaexp.errors import DataError
from qaexp.errors.advice import setting
from qaexp.errors.rules import refuse, room_problems

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How a tokenizer lays out a question and a window.

    Attributes:
        template: The special tokens around the two texts.
        is_question_first: Whether the pair is (question, context) or (context, question).
        with_types: Whether the model knows token types.
    """

    template: PairTemplate
    is_question_first: bool
    with_types: bool


@dataclass(frozen=True, slots=True, eq=False)
class EncodedExamples:
    """The tokens of some examples, each text once, and their windows.

    Attributes:
        questions: The different questions, and the number of each example's.
        contexts: The different contexts, and the number of each example's.
        windows: The windows of the examples.
        start: int64 `[num_windows]`, the first token of the label inside the window's part of the context; -1 where the
            window does not hold the whole answer.
        end: The same for its last token (inclusive).
        num_truncated_questions: Examples whose question had to be cut.
    """

    questions: tuple[EncodedTexts, Ints]
    contexts: tuple[EncodedTexts, Ints]
    windows: Windows
    start: Ints
    end: Ints
    num_truncated_questions: int


class Encoder:
    """Encodes examples with one tokenizer and one kind of windows."""

    def __init__(self, backend: Tokenizer, row_format: RowFormat, room: int, doc_stride: int, cuts_left: bool) -> None:
        """Take what `encoder` found out of a tokenizer."""
        self._backend, self.row_format = backend, row_format
        self._room, self._doc_stride, self._cuts_left = room, doc_stride, cuts_left

    def encode(self, examples: Sequence[Example]) -> EncodedExamples:
        """Encode examples; each different text is tokenised once.

        Raises:
            DataError: A text holds a lone surrogate, which has no UTF-8.
        """
        _refuse_surrogates(examples)
        contexts, context_index = distinct(example.context for example in examples)
        questions, question_index = distinct(example.question.lstrip() for example in examples)
        context_tokens = encode_texts(self._backend, contexts, with_offsets=True)
        question_tokens = encode_texts(self._backend, questions, with_offsets=False)
        wanted = question_tokens.lengths[question_index]
        windows = cut_windows(
            wanted,
            context_tokens.lengths[context_index],
            room=self._room,
            doc_stride=self._doc_stride,
            from_the_end=self._cuts_left,
        )
        answers = [example.answers[0] if example.answers else None for example in examples]
        chars = label_chars(answers, contexts, context_tokens, context_index)
        start, end = _labels(chars, windows, context_tokens, context_index)
        return EncodedExamples(
            (question_tokens, question_index),
            (context_tokens, context_index),
            windows,
            start,
            end,
            int(np.sum(windows.question_lengths < wanted)),
        )

    def num_tokens(self, texts: Sequence[str]) -> int:
        """The tokens of some texts."""
        return int(encode_texts(self._backend, texts, with_offsets=False).indptr[-1])


@contextmanager
def encoder(tokenizer: PreTrainedTokenizerFast, *, max_length: int, doc_stride: int) -> Iterator[Encoder]:
    """Yield the encoder of a tokenizer, whose settings are untouched afterwards.

    Raises:
        ConfigError: The tokenizer does not fit, or max_length leaves no room beside doc_stride.
    """
    check_tokenizer(tokenizer)
    with plain_backend(tokenizer) as backend:
        template = pair_template(backend, tokenizer.cls_token_id)
        refuse(room_problems(max_length, doc_stride, template.num_specials))
        is_question_first = tokenizer.padding_side == "right"
        row_format = RowFormat(template, is_question_first, "token_type_ids" in tokenizer.model_input_names)
        room = max_length - template.num_specials
        yield Encoder(backend, row_format, room, doc_stride, tokenizer.truncation_side == "left")


def _labels(
    chars: tuple[Ints, Ints], windows: Windows, contexts: EncodedTexts, context_index: Ints
) -> tuple[Ints, Ints]:
    """Return the first and the last token (inclusive) of each label inside its window; -1 without a whole answer.

    Args:
        chars: start_char and end_char (exclusive) of each example's label, -1 without one.
        windows: The windows of the examples.
        contexts: The tokens of the different contexts.
        context_index: The number of each example's context.
    """
    start_char, end_char = (column[windows.example_index] for column in chars)
    heads = contexts.indptr[context_index[windows.example_index]]
    asked = np.flatnonzero((start_char >= 0) & (windows.begin < windows.end))
    start, end, is_inside = label_windows(
        contexts.offsets,
        (heads + windows.begin)[asked],
        (heads + windows.end)[asked],
        start_char[asked],
        end_char[asked],
    )
    holders = asked[is_inside]
    first, last = np.full_like(heads, -1), np.full_like(heads, -1)
    # One character that is several byte-level tokens (an emoji, a rare script) would start at its last and end at its
    # first token: a label that no decoding can answer with.
    first[holders], last[holders] = np.minimum(start, end)[is_inside], np.maximum(start, end)[is_inside]
    return first, last


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
