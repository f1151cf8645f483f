"""The windows that the removed pipeline cut its pairs into, and what a model says to each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qaexp.data.features import Features
from qaexp.errors import ConfigError
from qaexp.evaluation.logits import Logits, LogitsInMemory
from qaexp.evaluation.question_set import runner_of
from qaexp.predictor.opened import Opened
from qaexp.predictor.pipeline_arguments import Asked, shown
from qaexp.predictor.window_answers import WindowLogits

if TYPE_CHECKING:
    from tokenizers import Encoding

_MAX_SEQ_LEN, _DOC_STRIDE = 384, 128


class WindowCutter:
    """Cuts pairs of a question and a context into windows, and gets the logits of all of them in one go."""

    def __init__(self, model: Opened) -> None:
        """Take a model that is ready; its tokenizer is copied."""
        from tokenizers import Tokenizer

        self._opened = model
        self._tokenizer = model.loaded.tokenizer
        # A copy: windows need truncation, which others who share the tokenizer must not see.
        self._backend = Tokenizer.from_str(self._tokenizer.backend_tokenizer.to_str())
        self._backend.no_padding()
        self._backend.encode_special_tokens = bool(getattr(self._tokenizer, "split_special_tokens", False))
        self._lock = threading.Lock()

    def judged(self, pairs: Sequence[tuple[str, str]], asked: Asked) -> list[list[WindowLogits]]:
        """The windows of each pair with their logits.

        Raises:
            ConfigError: The settings do not fit the model, or a question leaves no room for its context.
        """
        encodings = self._windows(pairs, asked)
        logits = self._logits([window for windows in encodings for window in windows])
        found, number = [], 0
        for windows in encodings:
            found.append([self._judged(window, logits, number + place) for place, window in enumerate(windows)])
            number += len(windows)
        return found

    @property
    def _is_question_first(self) -> bool:
        return bool(self._tokenizer.padding_side == "right")

    def _windows(self, pairs: Sequence[tuple[str, str]], asked: Asked) -> list[list[Encoding]]:
        """The windows of each pair, as the tokenizer cuts them."""
        max_length = asked.max_seq_len or min(int(self._tokenizer.model_max_length), _MAX_SEQ_LEN)
        doc_stride = min(max_length // 2, _DOC_STRIDE) if asked.doc_stride is None else asked.doc_stride
        limit = self._opened.position_limit
        if limit is not None and max_length > limit:
            raise ConfigError(f"max_seq_len is {max_length}, and the model takes {limit} tokens; give at most that")
        if doc_stride > max_length:
            raise ConfigError(f"doc_stride ({doc_stride}) is larger than max_seq_len ({max_length})")
        found = []
        with self._lock:
            for question, context in pairs:
                self._check_room(question, max_length, doc_stride)
                self._backend.enable_truncation(
                    max_length,
                    stride=doc_stride,
                    strategy="only_second" if self._is_question_first else "only_first",
                    direction=self._tokenizer.truncation_side,
                )
                texts = (question, context) if self._is_question_first else (context, question)
                first = self._backend.encode(*texts)
                found.append([first, *first.overflowing])
        return found

    def _check_room(self, question: str, max_length: int, doc_stride: int) -> None:
        """Refuse what the library `tokenizers` would panic at."""
        self._backend.no_truncation()
        num_specials = self._backend.num_special_tokens_to_add(is_pair=True)
        num_tokens = len(self._backend.encode(question, add_special_tokens=False))
        room = max_length - num_specials - num_tokens
        if room <= doc_stride:
            raise ConfigError(
                f"the question {shown(question)} has {num_tokens} tokens, and max_seq_len {max_length} leaves "
                f"{max(room, 0)} for its context, of which windows share {doc_stride} (doc_stride); raise max_seq_len, "
                "lower doc_stride, or shorten the question"
            )

    def _logits(self, windows: Sequence[Encoding]) -> Logits:
        features = _features(windows)
        made = LogitsInMemory(features.indptr)
        tokenizer = self._tokenizer
        with self._opened.autocast():
            runner_of(self._opened.loaded.model)(
                self._opened.loaded.model,
                features,
                made.put,
                pad_token_id=int(tokenizer.pad_token_id or 0),
                padding_side=str(tokenizer.padding_side),
                with_token_types=self._opened.loaded.with_token_types,
                # Absolute positions move with the tokens where rows are padded on the left: then each goes alone.
                token_budget=self._opened.token_budget if self._is_question_first else 1,
            )
        return made.all()

    def _judged(self, window: Encoding, logits: Logits, number: int) -> WindowLogits:
        sequence = int(self._is_question_first)
        # Where the context comes first, transformers lets every token answer.
        may_answer = [not sequence or found == sequence for found in window.sequence_ids]
        is_cls = np.array(window.ids) == (-1 if self._tokenizer.cls_token_id is None else self._tokenizer.cls_token_id)
        own = logits.part(number, number + 1)
        return WindowLogits(window, sequence, np.array(may_answer) | is_cls, own.start, own.end)


def _features(windows: Sequence[Encoding]) -> Features:
    """The rows of some windows, for the model alone: where their context is does not matter to it."""
    lengths = np.array([len(window) for window in windows], dtype=np.int64)
    zeros = np.zeros(len(windows), dtype=np.int32)
    return Features(
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        input_ids=np.array([token for window in windows for token in window.ids], dtype=np.int32),
        token_type_ids=np.array([type for window in windows for type in window.type_ids], dtype=np.uint8),
        offset_mapping=np.zeros((int(lengths.sum()), 2), dtype=np.int32),
        context_begin=zeros,
        context_end=zeros,
        null_position=zeros,
        example_index=np.arange(len(windows), dtype=np.int32),
        start_position=zeros,
        end_position=zeros,
        num_truncated_questions=0,
    )
