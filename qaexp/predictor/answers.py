"""Answers for users: a run's model, with the windows, decoding and tuned threshold that were stored with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar, overload

from qaexp.data.features import Features
from qaexp.data.squad import Example
from qaexp.data.windowing import Windows
from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import made_again
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.logits import Logits, LogitSource
from qaexp.evaluation.question_set import Decoding, QuestionSet
from qaexp.model.exported import export_format
from qaexp.model.settings import SETTINGS, model_settings
from qaexp.predictor.answer import Answer, probability_of
from qaexp.predictor.opened import opened
from qaexp.reporting.terminal.bars import bar_on_stderr
from qaexp.runs.directory import MODEL, link_problems
from qaexp.runs.readers.folder import COMPLETED, NOT_A_RUN, SWEEP, look
from qaexp.runs.readers.nearby import meant
from qaexp.runs.trust import check_files

_Node = TypeVar("_Node", Windows, Decoding)


class Predictor:
    """Answers questions with the model of a run, or of a folder in the format of transformers."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        null_threshold: float | None = None,
        device: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Load the model.

        Args:
            folder: A run directory, its `model/`, a model folder, or an export (`qaexp export`): those in the formats
                onnx and openvino are answered by onnxruntime and OpenVINO on the CPU, without torch.
            null_threshold: Nothing is answered where null_score_diff is above it; None: the run's tuned threshold.
            device: The device; None: a GPU if there is one.
            precision: The number format of the forward pass: fp32, bf16 or fp16; None or auto: bf16 where the device
                computes in it at full speed, else fp32, whatever the model was trained in.

        Raises:
            ConfigError: The folder holds no model, its model was never trained to answer questions, or the device is
                not there or does not compute in this format.
            IntegrityError: The model belongs to a run, and was changed.
        """
        if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
            raise ConfigError(f"folder is {folder!r:.80}; give the directory of a completed run, or a model's folder")
        self.folder = model_folder(Path(folder))
        self.settings = model_settings(self.folder)
        self.null_threshold = self.settings["null_threshold"] if null_threshold is None else null_threshold
        self.opened = opened(self.folder, self.settings, device=device or "auto", precision=precision or "auto")
        self.loaded, self.device, self.precision = self.opened.loaded, self.opened.device, self.opened.precision
        self._fit_windows(self.opened.position_limit)

    def _fit_windows(self, limit: int | None) -> None:
        """Shorten the standard windows for a foreign model with fewer positions.

        Raises:
            ConfigError: Those that are stored with the model are longer than it takes.
        """
        if limit is None:
            return
        if (self.folder / SETTINGS).is_file():
            if self.settings["max_length"] > limit:
                given = f"max_length is {self.settings['max_length']}"
                raise ConfigError(
                    f"{self.folder / SETTINGS}: {given}, and the model takes {limit} tokens; export the model again"
                )
            return
        longest = min(self.settings["max_length"], limit)
        self.settings |= {"max_length": longest, "doc_stride": min(self.settings["doc_stride"], longest // 3)}

    def question_set(self, examples: Sequence[Example], **changed: int) -> QuestionSet:
        """Make features with the stored windows; answers come by the stored decoding.

        Args:
            examples: The examples.
            **changed: Numbers of the windows and of the decoding to take instead of the stored ones: max_length,
                doc_stride, n_best_size, max_answer_length.

        Raises:
            ConfigError: The windows leave no room.
            IntegrityError: The run was trained with a class that is not allowed here.
        """
        windows = _changed(self._node("features", Windows), changed)
        decoding = _changed(self._node("decoding", Decoding), changed)
        return self._questions(examples, windows.build(examples, self.loaded.tokenizer), decoding)

    @property
    def token_budget(self) -> int:
        """The tokens of a batch, padding included, that the device answers the fastest."""
        return self.opened.token_budget

    def logits(self, features: Features) -> Logits:
        """The start and end logits of some features, of whatever questions.

        Raises:
            OutOfMemoryError: A single feature does not fit.
        """
        decoding = self._node("decoding", Decoding)
        return self._questions((), features, decoding).logits(self.loaded).part(0, len(features))

    def answers(self, questions: QuestionSet, logits: LogitSource) -> list[Answer]:
        """Answer the examples of a question set, in order, by the logits of its features.

        Raises:
            DivergedError: A logit is NaN or infinite.
        """
        predictions = (prediction for _, found in questions.decoded(logits) for prediction in found)
        is_own = type(questions.decoding) is not Decoding
        totals = repeat(None, len(questions.examples)) if is_own else questions.log_totals(logits)
        return [self._as_answer(prediction, total) for prediction, total in zip(predictions, totals, strict=True)]

    def _questions(self, examples: Sequence[Example], features: Features, decoding: Decoding) -> QuestionSet:
        return QuestionSet(examples, features, decoding, self.opened.autocast, self.token_budget)

    def _node(self, kind: str, ours: type[_Node]) -> _Node:
        """A node as the run had it: what a folder names is built only where the user's own environment allows it."""
        if kind in self.settings["nodes"]:
            from qaexp.config.build import build

            made: _Node = build(self.settings["nodes"][kind], kind)
            return made
        return ours(**{item.name: self.settings[item.name] for item in fields(ours) if item.name in self.settings})

    @overload
    def answer(self, question: str, context: str) -> Answer: ...

    @overload
    def answer(self, question: list[str] | tuple[str, ...], context: str) -> list[Answer]: ...

    @overload
    def answer(self, question: str | Sequence[str], context: list[str] | tuple[str, ...]) -> list[Answer]: ...

    def answer(self, question: str | Sequence[str], context: str | Sequence[str]) -> Answer | list[Answer]:
        """Answer one question, or a list of them.

        Args:
            question: The question, or several.
            context: The text that may hold the answer; one for each question, or one for all.

        Returns:
            The answer; a list of answers in order if questions or contexts are lists.

        Raises:
            ConfigError: The lists differ in length, or hold anything but texts.
        """
        if isinstance(question, str) and isinstance(context, str):
            return self.answer_all([(question, context)])[0]
        return self.answer_all(_pairs(question, context))

    def answer_all(self, pairs: Sequence[tuple[str, str]]) -> list[Answer]:
        """Answer (question, context) pairs, in order.

        Raises:
            ConfigError: An item is not a pair of texts.
        """
        for pair in pairs:
            if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
                raise ConfigError(f"answer_all() takes pairs of texts, (question, context), not {pair!r:.80}")
        examples = [Example(str(number), "", context, question, ()) for number, (question, context) in enumerate(pairs)]
        questions = self.question_set(examples)
        # A single question is answered before a bar could be seen.
        with bar_on_stderr("answering", len(questions.features)) if len(pairs) > 1 else nullcontext() as seen:
            logits = questions.logits(self.loaded, seen)
        return self.answers(questions, logits)

    def _as_answer(self, prediction: Prediction, log_total: float | None) -> Answer:
        allow_no_answer = bool(self.settings["allow_no_answer"])
        text = prediction.text_at(self.null_threshold) if allow_no_answer else prediction.span_text
        best = prediction.n_best[0] if prediction.n_best else None
        shown = best if text else None
        return Answer(
            answer=text,
            score=best.score if best else None,
            start_char=shown.start_char if shown else None,
            end_char=shown.end_char if shown else None,
            null_score_diff=prediction.null_score_diff,
            n_best=[{name: getattr(span, name) for name in span.__slots__} for span in prediction.n_best],
            probability=probability_of(prediction, log_total, is_empty=shown is None),
        )


def _changed(node: _Node, changed: Mapping[str, int]) -> _Node:
    """The node with those numbers changed that it has."""
    own: dict[str, Any] = {item.name: changed[item.name] for item in fields(node) if item.name in changed}
    return replace(node, **own) if own else node


def _pairs(question: Any, context: Any) -> list[tuple[str, str]]:
    """Each question with its context.

    >>> _pairs(["Who?", "Where?"], "Anna lives in Paris.")
    [('Who?', 'Anna lives in Paris.'), ('Where?', 'Anna lives in Paris.')]
    """
    questions, contexts = _texts("question", question), _texts("context", context)
    if isinstance(question, str):
        questions *= len(contexts)
    if isinstance(context, str):
        contexts *= len(questions)
    if len(questions) != len(contexts):
        raise ConfigError(
            f"{len(questions)} questions and {len(contexts)} contexts: give as many contexts as questions, or one "
            "context as a text for all of them"
        )
    return list(zip(questions, contexts, strict=True))


def _texts(name: str, given: Any) -> list[str]:
    items = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    for item in items:
        if not isinstance(item, str):
            raise ConfigError(f"{name} must be a text or a list of texts, not {item!r:.80}")
    return items


def model_folder(folder: Path) -> Path:
    """The folder that holds the model: a run's `model/`, or the folder itself.

    Raises:
        ConfigError: There is no model, or the run is not completed.
        IntegrityError: The run is damaged, or a file of its model is missing.
    """
    found = look(folder)
    if found.state not in (NOT_A_RUN, SWEEP):
        found.check_completed()
    if links := [problem for problem in link_problems(folder) if problem.startswith(f"{folder / MODEL}:")]:
        raise IntegrityError(*links)
    for candidate in (folder / MODEL, folder):
        is_of_torch = (candidate / "config.json").is_file() and (candidate / "tokenizer_config.json").is_file()
        if is_of_torch or export_format(candidate):
            return candidate
    if found.summary is not None and (folder / MODEL).is_dir():
        check_files(folder, found.summary, [name for name in found.lacking if name.startswith(f"{MODEL}/")])
    if found.state == COMPLETED:
        raise ConfigError(f"{folder}: {found.sentence}; {made_again(folder, 'its model')}")
    if found.state == SWEEP:
        raise ConfigError(f"{folder} holds no model: {found.about}")
    way_out = meant(folder) or "; give the directory of a completed run, or a folder with config.json"
    raise ConfigError(f"{folder} holds no model{way_out}")
