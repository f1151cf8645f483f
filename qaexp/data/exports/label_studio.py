"""Exports of Label Studio: JSON (tasks with annotations) and JSON_MIN (one object with the results a task)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qaexp.data.exports.exported import (
    QUESTION_KEYS,
    TEXT_KEYS,
    Exported,
    Span,
    answer_spans,
    as_list,
    marks_none,
)
from qaexp.data.exports.label_studio_results import (
    UNREAD,
    Results,
    chooses,
    is_given_answer,
    spans_by_question,
    typed_questions,
)
from qaexp.data.exports.label_studio_texts import context_of, is_elsewhere, own_questions
from qaexp.data.exports.statements import says_none, says_some
from qaexp.data.files.cells import read_cell

TOOL = "Label Studio"
_MIN_MARKS = {"annotator", "annotation_id", "lead_time"}
_OTHER_LABELS = ("hypertextlabels", "paragraphlabels")
_NO_CONTROLS = frozenset({"meta", "predictions", *TEXT_KEYS, *QUESTION_KEYS})


def is_label_studio(record: Mapping[str, Any]) -> bool:
    """Whether an object is a task of an export of Label Studio.

    >>> is_label_studio({"id": 1, "data": {"text": "a"}, "annotations": []})
    True
    """
    is_whole = isinstance(record.get("data"), Mapping) and any(
        isinstance(record.get(key), list) for key in ("annotations", "completions", "predictions")
    )
    return is_whole or len(_MIN_MARKS.intersection(record)) > 1


def read_label_studio(tasks: Sequence[tuple[str, Mapping[str, Any]]]) -> Exported:
    """The questions of tasks: their data has a text and a question, or the question is typed in or is the label."""
    found = Exported(TOOL, "task", len(tasks))
    for place, task in tasks:
        data = task["data"] if isinstance(task.get("data"), Mapping) else task
        context = context_of(data)
        results = _results(task, found)
        if context is None:
            found.left_out["task without a text"] += 1
        elif results is not None:
            _add(found, place, task, data, context, results)
    return found


def _results(task: Mapping[str, Any], found: Exported) -> list[list[Mapping[str, Any]]] | None:
    """The results of each annotation of a task; None, after it was counted, where nobody has annotated it."""
    if "data" not in task:
        return [_minimal(task)]
    listed = as_list(task.get("annotations")) or as_list(task.get("completions"))
    annotations = [one for one in listed if isinstance(one, Mapping)]
    done = [one for one in annotations if not (one.get("was_cancelled") or one.get("skipped"))]
    if not done:
        found.left_out["task that was skipped" if annotations else "task without an annotation"] += 1
        return None
    return [_listed(one.get("result")) for one in done]


def _listed(results: Any) -> list[Mapping[str, Any]]:
    """The results of an annotation; what is no result stands there as one that nobody can read."""
    items = results if isinstance(results, list) else [results]
    return [item if isinstance(item, Mapping) else {"type": UNREAD} for item in items]


def _minimal(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results of JSON_MIN, which has them under the names of its controls, in the form of the full export."""
    items: list[Mapping[str, Any]] = []
    for name, value in task.items():
        if isinstance(value, list):
            regions = [one for one in value if isinstance(one, Mapping) and "start" in one]
            items += [{"from_name": name, "value": region, "id": region.get("id")} for region in regions]
        if name not in _NO_CONTROLS and _is_unread(value):
            items.append({"from_name": name, "type": UNREAD})
        choices = value.get("choices") if isinstance(value, Mapping) else [value]
        choices = ["yes" if one is True else "no" if one is False else one for one in as_list(choices)]
        if any(isinstance(one, str) and (says_none(name, one) or says_some(name, one)) for one in choices):
            items.append({"from_name": name, "type": "choices", "value": {"choices": choices}})
        elif name.lower() in ("answer", "answers", "answer_text") and isinstance(value, str) and value.strip():
            items.append({"from_name": name, "type": "textarea", "value": {"text": [value]}})
    return items


def _is_unread(value: Any) -> bool:
    """Whether what stands under a control is a mark without a place, or is written as text."""
    if isinstance(value, str):
        held = read_cell(value)
        return isinstance(held, list | dict) and any(map(_is_region, held if isinstance(held, list) else [held]))
    items = value if isinstance(value, list) else [value]
    return any(_is_region(one) and not (isinstance(value, list) and "start" in one) for one in items)


def _is_region(value: Any) -> bool:
    return isinstance(value, Mapping) and not {"start", "end", "labels", *_OTHER_LABELS}.isdisjoint(value)


@dataclass(slots=True)
class _Asked:
    """What the annotations of a task say of a question; an answer that cannot be read is one all the same."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    is_unread: bool = False
    says_none: bool = False


def _add(
    found: Exported,
    place: str,
    task: Mapping[str, Any],
    data: Mapping[str, Any],
    context: str,
    annotations: Sequence[Results],
) -> None:
    """Add the questions of a task, each with the answers of all its annotations."""
    asked: dict[str, _Asked] = {}
    own = own_questions(data)
    every_typed = [typed_questions(results) for results in annotations]
    if len(own) > 1 or any(
        len(texts) > 1 for typed in every_typed for where, texts in typed.items() if where or not own
    ):
        found.left_out["several questions in one task"] += 1
        return
    for results, typed in zip(annotations, every_typed, strict=True):
        by_region = {where: texts[0] for where, texts in typed.items()}
        whole = own[0] if own else by_region.get(None)
        by_question = spans_by_question(results, by_region, whole, found, partial(is_elsewhere, data, context))
        if whole is not None:
            by_question.setdefault(whole, [])
        if not by_question:
            found.left_out["annotation without a question"] += 1
        for question, spans in by_question.items():
            _take(asked.setdefault(question, _Asked()), spans, results, context, found)
    kept = {question: one for question, one in asked.items() if one.answers or not one.is_unread}
    for number, (question, one) in enumerate(kept.items(), start=1):
        if one.answers and one.says_none:
            found.noted["question without an answer for some, and with one for others, taken with it"] += 1
        elif not one.answers and not one.says_none:
            found.noted["question without a marked span, taken as one without an answer"] += 1
        id = task.get("id")
        found.add(place, id if len(kept) == 1 or id is None else f"{id}-{number}", question, context, one.answers)


def _take(one: _Asked, spans: list[Span], results: Results, context: str, found: Exported) -> None:
    """Take what an annotation says of a question: its answers, or that there is none, or what cannot be read."""
    has_none = any(chooses(result, says_none) for result in results)
    answers = [] if has_none else _placed(spans, context, found)
    one.answers += answers
    one.says_none |= has_none or marks_none(spans)
    if has_none and spans and not marks_none(spans):
        found.noted["marked span beside the choice that there is no answer, taken as no answer"] += 1
    if answers or has_none:
        return
    is_given = any(map(is_given_answer, results))
    is_said = not spans and any(chooses(result, says_some) for result in results)
    if is_given:
        found.left_out["answer that was typed, and not marked in the text"] += 1
    elif is_said:
        found.left_out["question that is said to have an answer, of which none is marked"] += 1
    one.is_unread |= (bool(spans) or is_given or is_said) and not marks_none(spans)


def _placed(spans: list[Span], context: str, found: Exported) -> list[dict[str, Any]]:
    """The answers that stand in the text; those that do not are counted."""
    answers = []
    for span in answer_spans(spans, found):
        if span.unread:
            found.left_out[span.unread] += 1
        elif isinstance(span.start, str):
            found.left_out["answer that was marked in HTML or in a dialogue"] += 1
        elif (answer := span.placed(context)) is None:
            found.left_out["answer that does not stand where the export says"] += 1
        else:
            answers.append(answer)
    return answers
