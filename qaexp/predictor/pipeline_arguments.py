"""What a call of the question-answering pipeline may say: its settings, and the forms that its questions come in."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from qaexp.errors import ConfigError
from qaexp.predictor.window_answers import Rule

_LONGEST_SHOWN = 60
_PADDINGS = (None, True, False, "do_not_pad", "longest", "max_length")


def shown(value: object) -> str:
    """A value in a sentence, on one line: a long text up to a whole word, of a collection only what it is.

    >>> shown("why " * 50), shown(None), shown([1, 2])
    ("'why why why why why why why why why why why why why why...'", 'None', 'a list of 2')
    """
    if isinstance(value, str):
        short = textwrap.shorten(value, _LONGEST_SHOWN, placeholder="...")
        if len(value) > _LONGEST_SHOWN:
            value = short if short != "..." else f"{value[:_LONGEST_SHOWN]}..."
        return repr(str(value))
    found = repr(value)
    # Such as <function f at 0x7f...>.
    is_short = len(found) <= _LONGEST_SHOWN and found.isprintable() and not found.startswith("<")
    return found if is_short and not hasattr(value, "__len__") else kind_of(value)


def kind_of(value: object) -> str:
    """What a value is, and how long.

    >>> kind_of([1, 2]), kind_of(3), kind_of("why")
    ('a list of 2', 'an int', 'a str')
    """
    name = type(value).__name__
    is_counted = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
    try:
        length = f" of {len(value):,}" if is_counted else ""  # type: ignore[arg-type]
    except TypeError:  # an array without dimensions
        length = ""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{length}"


@dataclass(frozen=True, slots=True)
class Asked:
    """The settings of one call; None: the default of transformers.

    Attributes:
        top_k: The most answers of a question.
        doc_stride: Tokens of context that neighbouring windows share; None: half of max_seq_len, 128 at most.
        max_answer_len: Tokens of the longest answer.
        max_seq_len: Tokens of a window, question and special tokens included; None: 384, or what the tokenizer allows.
        max_question_len: Taken, and without effect: with a fast tokenizer it never had one.
        handle_impossible_answer: Whether the empty answer is among them.
        align_to_words: Whether answers are widened to whole words.
        padding: Taken, and without effect on answers: rows are padded as far as their batch needs it.
        batch_size: Taken, and without effect on answers: windows of similar length share a batch by themselves.
        num_workers: Taken, and without effect.
    """

    top_k: int = 1
    doc_stride: int | None = None
    max_answer_len: int = 15
    max_seq_len: int | None = None
    max_question_len: int | None = 64
    handle_impossible_answer: bool = False
    align_to_words: bool = True
    padding: Any = None
    batch_size: int | None = None
    num_workers: int | None = None

    def __post_init__(self) -> None:
        names = ("top_k", "max_answer_len", "max_seq_len", "max_question_len", "doc_stride", "batch_size")
        lowest = {"doc_stride": 0}
        problems = [
            f"{name} is {shown(value)}, it must be a whole number from {lowest.get(name, 1)} up"
            for name in names
            if (value := getattr(self, name)) is not None and (type(value) is not int or value < lowest.get(name, 1))
        ]
        problems += [
            f"{name} is {shown(value)}, it must be True or False"
            for name in ("handle_impossible_answer", "align_to_words")
            if not isinstance(value := getattr(self, name), bool)
        ]
        if self.padding not in _PADDINGS:
            problems.append(f"padding is {shown(self.padding)}, it must be one of {', '.join(map(repr, _PADDINGS))}")
        if problems:
            raise ConfigError(*problems)

    @property
    def rule(self) -> Rule:
        """How answers are chosen."""
        return Rule(self.top_k, self.max_answer_len, self.handle_impossible_answer, self.align_to_words)


SETTINGS = tuple(Asked.__slots__)
"""The names of the settings."""


def device_name(device: Any) -> str:
    """A device in qaexp's words.

    >>> device_name(None), device_name(-1), device_name(1), device_name("cpu")
    ('auto', 'cpu', 'cuda:1', 'cpu')
    """
    if device is None:
        return "auto"
    if isinstance(device, int) and not isinstance(device, bool):
        return "cpu" if device < 0 else f"cuda:{device}"
    return str(device)


def precision_of(dtype: Any) -> str:
    """A dtype in qaexp's words.

    >>> precision_of(None), precision_of("auto"), precision_of("torch.bfloat16")
    ('fp32', 'fp32', 'bf16')
    """
    names = {"None": "fp32", "auto": "fp32", "float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
    name = str(dtype).removeprefix("torch.")
    if name not in names:
        raise ConfigError(f"dtype is {shown(dtype)}, it must be float32, bfloat16 or float16")
    return names[name]


def known_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a call, those that are None left to their defaults.

    Raises:
        ConfigError: There is no such setting.
    """
    given = {name: value for name, value in settings.items() if name not in ("question", "context", "X", "data")}
    if "topk" in given:  # the older name of top_k
        given.setdefault("top_k", given.pop("topk"))
    unknown = sorted(set(given) - set(SETTINGS))
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: no such setting; there are {', '.join(SETTINGS)}")
    return {name: value for name, value in given.items() if value is not None}


def items_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any] | Iterator[Any]:
    """What was asked, as a list of items; as an iterator where it was a generator or a dataset, which may be large.

    Raises:
        ConfigError: It is nothing of which items can be made.
    """
    if args:
        if len(args) == 2 and all(isinstance(text, str) for text in args):
            return [{"question": args[0], "context": args[1]}]
        given: Any = args[0] if len(args) == 1 else list(args)
    elif "question" in kwargs and "context" in kwargs:
        return _zipped(kwargs["question"], kwargs["context"])
    else:
        given = next((kwargs[name] for name in ("X", "data") if name in kwargs), None)
    if isinstance(given, GeneratorType):
        return given
    if isinstance(given, Mapping) or hasattr(given, "question_text"):
        return [given]
    torch_data = sys.modules.get("torch.utils.data")
    if torch_data is not None and isinstance(given, torch_data.IterableDataset):
        return (item for item in given)
    if _is_dataset(given):
        return (given[number] for number in range(len(given)))
    if given is None or isinstance(given, (str, bytes)) or (found := _listed(given)) is None:
        raise ConfigError("give question=... and context=..., a text or a list of texts each")
    return found


def _is_dataset(given: Any) -> bool:
    """Whether it is a dataset as torch has them, by number alone; the base class of torch itself is not needed here."""
    return hasattr(given, "__getitem__") and hasattr(given, "__len__") and not hasattr(given, "__iter__")


def _listed(given: Any) -> list[Any] | None:
    """The items of whatever has some, in order."""
    try:
        return list(given) if isinstance(given, Iterable) and not isinstance(given, AnySet) else None
    except TypeError:  # an array without dimensions
        return None


def _column(given: Any) -> list[Any] | None:
    """The texts of a list, a tuple, an array, a Series or a dataset's column; None of anything else."""
    if isinstance(given, (str, bytes, Mapping)) or not hasattr(given, "__len__"):
        return None
    return [given[number] for number in range(len(given))] if _is_dataset(given) else _listed(given)


def _zipped(question: Any, context: Any) -> list[dict[str, Any]]:
    """Questions with their contexts.

    >>> _zipped(["Who?", "Where?"], "Ada is in Turin.")[1]
    {'question': 'Where?', 'context': 'Ada is in Turin.'}
    """
    questions, contexts = _column(question), _column(context)
    if questions is None and contexts is None:
        return [{"question": question, "context": context}]
    if questions is None:
        raise ConfigError(
            f"question is {shown(question)}, and context is {shown(context)}; give as many questions as contexts, "
            "or one context for all questions"
        )
    if contexts is None:
        contexts = [context] * len(questions)
    if len(questions) != len(contexts):
        raise ConfigError(f"{len(questions)} questions and {len(contexts)} contexts: give as many of both")
    return [{"question": one, "context": other} for one, other in zip(questions, contexts, strict=True)]


def pair_of(item: Any) -> tuple[str, str]:
    """The question and the context of an item.

    Raises:
        ConfigError: One of them is missing, empty or no text.
    """
    found = _fields(item)
    for name, text in found.items():
        if not isinstance(text, str):
            raise ConfigError(f"{name} is {shown(text)}, it must be a text")
        if not text:
            raise ConfigError(f"{name} cannot be empty")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"{name} holds half of a UTF-16 pair, which no tokenizer can encode") from error
    return str(found["question"]), str(found["context"])


def _fields(item: Any) -> dict[str, Any]:
    """The question and the context of an item, whatever they are."""
    names = ("question", "context")
    if isinstance(item, Mapping):
        if lacking := [name for name in names if name not in item]:
            raise ConfigError(f"an item has no {' and no '.join(lacking)}; give {{question, context}}")
        if extra := sorted(map(str, set(item) - set(names))):
            raise ConfigError(f"an item has {', '.join(extra)}; give question and context alone")
        return {name: item[name] for name in names}
    if not (hasattr(item, "question_text") and hasattr(item, "context_text")):  # as transformers' SquadExample
        raise ConfigError(f"an item is {kind_of(item)}; give a dict {{question, context}}")
    return {"question": item.question_text, "context": item.context_text}
