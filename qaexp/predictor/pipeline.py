"""The pipeline "question-answering" that transformers 5.3 removed: same arguments, same answers, same scores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qaexp.data.features import Features
from qaexp.errors import ConfigError
from qaexp.evaluation.logits import Logits, LogitsInMemory
from qaexp.evaluation.question_set import runner_of
from qaexp.model.exported import LoadedExport
from qaexp.predictor.opened import Opened, ready
from qaexp.predictor.pipeline_arguments import Asked, items_of, known_settings, pair_of, shown
from qaexp.predictor.pipeline_model import TAKEN, Given
from qaexp.predictor.window_answers import WindowLogits, answers_of

if TYPE_CHECKING:
    from tokenizers import Encoding

TASK = "question-answering"
_MAX_SEQ_LEN, _DOC_STRIDE = 384, 128
_CALL = "call the pipeline with question and context"
# What the removed pipeline had and this one has not, with the way out.
_NOT_HERE: Mapping[str, str] = {
    "save_pretrained": "save both with nlp.model.save_pretrained(folder) and nlp.tokenizer.save_pretrained(folder)",
    "push_to_hub": "push both with nlp.model.push_to_hub(id) and nlp.tokenizer.push_to_hub(id)",
    "create_sample": "give {question, context}",
    **dict.fromkeys(("predict", "transform", "preprocess", "forward", "postprocess", "get_iterator"), _CALL),
    **dict.fromkeys(("run_single", "run_multi", "iterate", "decode_spans", "span_to_answer"), _CALL),
}


def pipeline(
    task: str | None = None,
    model: Any = None,
    config: Any = None,
    tokenizer: Any = None,
    *,
    revision: str | None = None,
    device: Any = None,
    dtype: Any = None,
    torch_dtype: Any = None,
    **settings: Any,
) -> QuestionAnsweringPipeline:
    """Make a pipeline that answers questions, as `transformers.pipeline("question-answering", ...)` did.

    Args:
        task: "question-answering", or None.
        model: A run, a model folder, an export in onnx or openvino, a hub id, or a model of transformers.
        config: None, or the model's own.
        tokenizer: A fast tokenizer or the name of a checkpoint; None: the model's own, if it is given by name.
        revision: Commit, tag or branch of a hub id.
        device: As transformers takes it: a name, a number of a GPU, -1 for the CPU, a torch.device; None: a GPU if
            there is one; of a model that is given as an object, where it is.
        dtype: float32, the default as it was, bfloat16 or float16.
        torch_dtype: The older name of dtype.
        **settings: Defaults of the settings that a call takes; and of the other arguments that transformers had those
            that can be kept (docs/pipeline.md).

    Raises:
        ConfigError: The task is another one, there is no such model, or a setting is none that there can be.
        IntegrityError: The model belongs to a run or an export, and was changed.

    Example:
        >>> from qaexp import pipeline
        >>> answer = pipeline("question-answering", "outputs/newcomer")  # doctest: +SKIP
        >>> answer(question="Where do I live?", context="I am Ada and live in Turin.")  # doctest: +SKIP
        {'score': 0.87, 'start': 21, 'end': 26, 'answer': 'Turin'}
    """
    if task not in (None, TASK):
        raise ConfigError(f"task is {shown(task)}; qaexp's pipeline has one, {TASK!r}; give the model as model=...")
    if model is None:
        raise ConfigError(
            "model is missing: a run, a model folder, an export or a hub id, such as the default that transformers "
            "had, model='distilbert/distilbert-base-cased-distilled-squad'"
        )
    more = {name: settings.pop(name) for name in TAKEN if name in settings}
    given = Given(model, config, tokenizer, revision, device, torch_dtype if dtype is None else dtype, more)
    return QuestionAnsweringPipeline(given.opened(), **settings)


class QuestionAnsweringPipeline:
    """Answers questions by the rule of transformers' removed pipeline; made by `pipeline`."""

    task = TASK

    def __init__(self, model: Opened, **settings: Any) -> None:
        """Take a model that is ready, and defaults of the settings of a call.

        Raises:
            ConfigError: A setting is none that there can be.
        """
        from tokenizers import Tokenizer

        self._opened = model
        # Where an export is opened again from, wherever the process is by then.
        self._export = (
            str(Path(model.loaded.source["checkpoint"]).absolute()) if isinstance(model.loaded, LoadedExport) else None
        )
        self._defaults = known_settings(settings)
        Asked(**self._defaults)
        tokenizer = model.loaded.tokenizer
        # A copy: windows need truncation, which others who share the tokenizer must not see.
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_padding()
        self._backend.encode_special_tokens = bool(getattr(tokenizer, "split_special_tokens", False))
        self._lock = threading.Lock()

    @property
    def model(self) -> Any:
        """The model."""
        return self._opened.loaded.model

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self._opened.loaded.tokenizer

    @property
    def device(self) -> Any:
        """Where it computes: a torch.device, or "cpu" for an export."""
        return self._opened.device

    def __getattr__(self, name: str) -> Any:
        if name in _NOT_HERE:
            raise AttributeError(f"qaexp's pipeline has no {name}; {_NOT_HERE[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Callable[..., QuestionAnsweringPipeline], tuple[Any, ...]]:
        """A model of torch goes along; an export is opened again from its folder, which has to be there."""
        model = self._opened
        if self._export is not None:
            return _reopened, (self._export, self._defaults)
        return _remade, (model.loaded, model.device, model.precision, model.position_limit, self._defaults)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer questions.

        Args:
            *args: A question and a context, or one or several dicts {question, context}, or a list, a generator or a
                dataset of dicts.
            **kwargs: `question` and `context`, a text or a list of texts each (or an array, a Series; several questions
                may share one context), and settings: `top_k` (1), `doc_stride` (128 tokens), `max_answer_len` (15),
                `max_seq_len` (384), `max_question_len`, `handle_impossible_answer` (False), `align_to_words` (True).

        Returns:
            For one question {score, start, end, answer}, a list of these where there are several answers; for several
            questions a list of such results; for a generator and a dataset of torch a generator.

        Raises:
            ConfigError: No question can be made of the arguments, a text is empty, a setting is none that there can
                be, or a question leaves no room for its context.
        """
        pairs = items_of(args, kwargs)
        asked = Asked(**{**self._defaults, **known_settings(kwargs)})
        if not isinstance(pairs, list):
            return (self._answer([pair_of(item)], asked)[0] for item in pairs)
        answers = self._answer([pair_of(item) for item in pairs], asked)
        return answers[0] if len(answers) == 1 else answers

    def _answer(self, pairs: Sequence[tuple[str, str]], asked: Asked) -> list[Any]:
        """The result of each pair."""
        encodings = self._windows(pairs, asked)
        logits = self._logits([window for windows in encodings for window in windows])
        results, number = [], 0
        for (_, context), windows in zip(pairs, encodings, strict=True):
            judged = [self._judged(window, logits, number + place) for place, window in enumerate(windows)]
            number += len(windows)
            answers = answers_of(judged, context, asked.rule)
            results.append(answers[0] if len(answers) == 1 else answers)
        return results

    @property
    def _is_question_first(self) -> bool:
        return bool(self.tokenizer.padding_side == "right")

    def _windows(self, pairs: Sequence[tuple[str, str]], asked: Asked) -> list[list[Encoding]]:
        """The windows of each pair, as the tokenizer cuts them."""
        max_length = asked.max_seq_len or min(int(self.tokenizer.model_max_length), _MAX_SEQ_LEN)
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
                    direction=self.tokenizer.truncation_side,
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
        tokenizer = self.tokenizer
        with self._opened.autocast():
            runner_of(self.model)(
                self.model,
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
        is_cls = np.array(window.ids) == (-1 if self.tokenizer.cls_token_id is None else self.tokenizer.cls_token_id)
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


def _remade(
    loaded: Any, device: Any, precision: str, position_limit: int | None, defaults: Mapping[str, Any]
) -> QuestionAnsweringPipeline:
    """A pipeline from its parts."""
    return QuestionAnsweringPipeline(ready(loaded, device, precision, position_limit), **defaults)


def _reopened(folder: str, defaults: Mapping[str, Any]) -> QuestionAnsweringPipeline:
    """A pipeline from the folder of its export."""
    return QuestionAnsweringPipeline(Given(folder).opened(), **defaults)
