"""What a request asks: its questions with their texts, and what is wanted of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from qaexp.serve.strict_json import kind
from qaexp.web.refusals import RefusedError

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters of the hub's question-answering task, under its names; None: as the model was trained.

    Attributes:
        top_k: How many answers.
        handle_impossible_answer: Whether "no answer" is one of them.
        align_to_words: Whether answers are widened to whole words.
        max_answer_len: Tokens of the longest answer.
        max_question_len: Tokens of the question that are read; the rest is dropped.
        max_seq_len: Tokens of a window.
        doc_stride: Tokens that neighbouring windows share.
    """

    top_k: int | None = None
    handle_impossible_answer: bool | None = None
    align_to_words: bool | None = None
    max_answer_len: int | None = None
    max_question_len: int | None = None
    max_seq_len: int | None = None
    doc_stride: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions of one request.

    Attributes:
        pairs: (question, context) each.
        is_list: Whether they came as a list, and the answers go as one.
        wanted: What is wanted of the answers.
    """

    pairs: Sequence[Pair]
    is_list: bool
    wanted: Wanted


_SWITCHES = ("handle_impossible_answer", "align_to_words")
_LEAST = {"doc_stride": 0}


def hub_request(body: Mapping[str, Any]) -> Asked:
    """Read a request of the hub's task: `{"inputs": {"question", "context"}, "parameters": {...}}`.

    Args:
        body: The JSON; `inputs` may be a list.

    Raises:
        RefusedError: 422: something is missing, empty, unknown or of a wrong type.
    """
    _check_keys(body, "the body", ("inputs",), ("parameters",))
    inputs, wanted = body["inputs"], _wanted(body.get("parameters"))
    if isinstance(inputs, list):
        if not inputs:
            raise RefusedError(422, "inputs is an empty list; send at least one question with its context")
        return Asked([_pair(item, f"inputs[{place}]") for place, item in enumerate(inputs)], True, wanted)
    return Asked([_pair(inputs, "inputs")], False, wanted)


def own_request(body: Mapping[str, Any]) -> Asked:
    """Read a request of `/answer`: `{"question", "context", "n_best"?}`.

    >>> own_request({"question": "Who?", "context": "Anna.", "n_best": 3}).wanted.top_k
    3

    Raises:
        RefusedError: 422: something is missing, empty, unknown or of a wrong type.
    """
    _check_keys(body, "the body", ("question", "context"), ("n_best",))
    top_k = _number(body.get("n_best"), "n_best", 1)
    pair = _pair({key: body[key] for key in ("question", "context")}, "the body")
    return Asked([pair], False, Wanted(top_k=top_k))


def _pair(given: Any, where: str) -> Pair:
    _check_keys(given, where, ("question", "context"))
    for key in ("question", "context"):
        if not isinstance(given[key], str):
            raise RefusedError(422, f"{key} of {where} is {kind(given[key])}; it must be a text")
        if not given[key].strip():
            raise RefusedError(422, f"{key} of {where} is empty; send a text")
    return given["question"], given["context"]


def _wanted(given: Any) -> Wanted:
    if given is None:
        return Wanted()
    names = tuple(item.name for item in fields(Wanted))
    _check_keys(given, "parameters", (), names)
    for name in _SWITCHES:
        if given.get(name) is not None and not isinstance(given[name], bool):
            raise RefusedError(422, f"{name} is {kind(given[name])}; it must be true or false")
    for name in names:
        if name not in _SWITCHES:
            _number(given.get(name), name, _LEAST.get(name, 1))
    return Wanted(**given)


def _number(value: Any, name: str, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        what = "no whole number" if isinstance(value, float) else kind(value)
        raise RefusedError(422, f"{name} is {what}; it must be a whole number from {least} up")
    if value < least:
        raise RefusedError(422, f"{name}={value!s:.20} is too small; it must be a whole number from {least} up")
    return value


def _check_keys(given: Any, where: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Refuse what is no object, and keys that are missing or unknown: nothing that was sent is ignored."""
    if not isinstance(given, dict):
        raise RefusedError(422, f"{where} is {kind(given)}; it must be an object" + _with(needed))
    if missing := [key for key in needed if key not in given]:
        raise RefusedError(422, f"{where} has no {' and no '.join(missing)}; it must be an object" + _with(needed))
    if unknown := [key for key in given if key not in (*needed, *allowed)]:
        shown = ", ".join(ascii(key[:40]) for key in unknown[:3])
        raise RefusedError(422, f"{where} has the unknown key {shown}; known are {', '.join((*needed, *allowed))}")


def _with(needed: Sequence[str]) -> str:
    return f" with {' and '.join(needed)}" if needed else ""
