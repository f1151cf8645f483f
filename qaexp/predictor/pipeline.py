"""The pipeline "question-answering" that transformers 5.3 removed: same arguments, same answers, same scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError
from qaexp.model.exported import LoadedExport
from qaexp.predictor.opened import Opened, ready
from qaexp.predictor.pipeline_arguments import Asked, items_of, known_settings, pair_of, shown
from qaexp.predictor.pipeline_model import TAKEN, Given
from qaexp.predictor.pipeline_windows import WindowCutter
from qaexp.predictor.window_answers import answers_of

TASK = "question-answering"
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
        self._opened = model
        # Where an export is opened again from, wherever the process is by then.
        self._export = (
            str(Path(model.loaded.source["checkpoint"]).absolute()) if isinstance(model.loaded, LoadedExport) else None
        )
        self._defaults = known_settings(settings)
        Asked(**self._defaults)
        self._cutter = WindowCutter(model)

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
        results = []
        for (_, context), windows in zip(pairs, self._cutter.judged(pairs, asked), strict=True):
            answers = answers_of(windows, context, asked.rule)
            results.append(answers[0] if len(answers) == 1 else answers)
        return results


def _remade(
    loaded: Any, device: Any, precision: str, position_limit: int | None, defaults: Mapping[str, Any]
) -> QuestionAnsweringPipeline:
    """A pipeline from its parts."""
    return QuestionAnsweringPipeline(ready(loaded, device, precision, position_limit), **defaults)


def _reopened(folder: str, defaults: Mapping[str, Any]) -> QuestionAnsweringPipeline:
    """A pipeline from the folder of its export."""
    return QuestionAnsweringPipeline(Given(folder).opened(), **defaults)
