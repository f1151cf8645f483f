"""Answers for users: a run's model, with the windows, decoding and tuned threshold that were stored with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, overload

from qaexp.config.build import build
from qaexp.config.checks.positions import position_limit
from qaexp.data.squad import Example
from qaexp.data.windowing import Windows
from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import made_again, spoken_by_python
from qaexp.evaluation.decoding import Prediction
from qaexp.evaluation.question_set import Decoding, QuestionSet
from qaexp.model import Checkpoint
from qaexp.model.placing import place
from qaexp.model.settings import SETTINGS, model_settings
from qaexp.reporting.terminal.bars import bar_on_stderr
from qaexp.reporting.terminal.printing import complain
from qaexp.runs.directory import MODEL, link_problems
from qaexp.runs.readers.folder import COMPLETED, NOT_A_RUN, SWEEP, look
from qaexp.runs.readers.nearby import meant

_Node = TypeVar("_Node", Windows, Decoding)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one question.

    Attributes:
        answer: The text, cut out of the context; empty when the context holds no answer.
        score: Start logit + end logit of the best span, even for an empty answer; not a probability, and possibly
            negative. None without a span.
        start_char: Where the answer begins in the context; None for the empty answer.
        end_char: Where it ends, exclusive; None for the empty answer.
        null_score_diff: Null score - best span score; the answer is empty where it is above the threshold.
        n_best: The best spans as {text, score, start_char, end_char}, best first.
    """

    answer: str
    score: float | None
    start_char: int | None
    end_char: int | None
    null_score_diff: float
    n_best: list[dict[str, Any]]


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
            folder: A run directory, its `model/`, or a model folder.
            null_threshold: Nothing is answered where null_score_diff is above it; None: the run's tuned threshold.
            device: The device; None: a GPU if there is one.
            precision: The number format of the forward pass: fp32, bf16 or fp16; None or auto: bf16 where the device
                computes in it at full speed, else fp32, whatever the model was trained in.

        Raises:
            ConfigError: The folder holds no model, its model was never trained to answer questions, or the device is
                not there or does not compute in this format.
            IntegrityError: The model belongs to a run, and was changed.
        """
        self.folder = model_folder(Path(folder))
        self.settings = model_settings(self.folder)
        self.null_threshold = self.settings["null_threshold"] if null_threshold is None else null_threshold
        self.device = _device(device or "auto")
        self.precision = _precision(precision or "auto", self.device)
        checkpoint = Checkpoint(checkpoint=str(self.folder))
        self.loaded = checkpoint.load(seed=0)
        if fresh := self.loaded.source["fresh_weights"]:
            raise ConfigError(
                f"{self.folder} has no weights for {', '.join(fresh)}, and answers would be random; give a "
                "model that was trained to answer questions, or train it first: qaexp train model.checkpoint=..."
            )
        self._fit_windows(position_limit(checkpoint.architecture()))
        place(self.loaded.model, self.device)

    def _fit_windows(self, limit: int | None) -> None:
        """Shorten the standard windows for a foreign model with fewer positions."""
        if limit is None or (self.folder / SETTINGS).is_file():
            return
        longest = min(self.settings["max_length"], limit)
        self.settings |= {"max_length": longest, "doc_stride": min(self.settings["doc_stride"], longest // 3)}

    def question_set(self, examples: Sequence[Example]) -> QuestionSet:
        """Make features with the stored windows; answers come by the stored decoding.

        Raises:
            IntegrityError: The run was trained with a class that is not allowed here.
        """
        from qaexp.evaluation.predict import budget_on
        from qaexp.training.number_formats import autocast_in

        windows, decoding = self._node("features", Windows), self._node("decoding", Decoding)
        features = windows.build(examples, self.loaded.tokenizer)
        autocast = autocast_in(self.precision, self.device)
        return QuestionSet(examples, features, decoding, autocast, budget_on(self.device))

    def _node(self, kind: str, ours: type[_Node]) -> _Node:
        """A node as the run had it: what a folder names is built only where the user's own environment allows it."""
        if kind in self.settings["nodes"]:
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
            predictions = questions.answers(self.loaded, seen)
        return [self._as_answer(prediction) for prediction in predictions]

    def _as_answer(self, prediction: Prediction) -> Answer:
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
        )


def _device(device: str) -> Any:
    from qaexp.training.precision import choose_device

    with spoken_by_python("Predictor"):
        return choose_device(device)


def _precision(precision: str, device: Any) -> str:
    """The number format; one that is slow there is named once."""
    from qaexp.training.number_formats import choose_precision, slowness

    with spoken_by_python("Predictor"):
        chosen = choose_precision(precision, device)
    if slow := slowness(chosen, device):
        complain(slow)
    return chosen


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
        IntegrityError: The run is damaged.
    """
    found = look(folder)
    if found.state not in (NOT_A_RUN, SWEEP):
        found.check_completed()
    if links := [problem for problem in link_problems(folder) if problem.startswith(f"{folder / MODEL}:")]:
        raise IntegrityError(*links)
    for candidate in (folder / MODEL, folder):
        if (candidate / "config.json").is_file() and (candidate / "tokenizer_config.json").is_file():
            return candidate
    if found.state == COMPLETED:
        raise ConfigError(f"{folder}: {found.sentence}; {made_again(folder, 'its model')}")
    if found.state == SWEEP:
        raise ConfigError(f"{folder} holds no model: {found.about}")
    way_out = meant(folder) or "; give the directory of a completed run, or a folder with config.json"
    raise ConfigError(f"{folder} holds no model{way_out}")
