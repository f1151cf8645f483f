"""Exports of Label Studio: JSON (tasks with annotations) and JSON_MIN (one object with the results a task)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import (
    QUESTION_KEYS,
    TEXT_KEYS,
    Exported,
    Span,
    answer_spans,
    as_list,
    first_text,
    is_question,
    marks_none,
)
from qaexp.data.exports.statements import says_none

TOOL = "Label Studio"
_MIN_MARKS = {"annotator", "annotation_id", "lead_time"}


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
        context = _context(data)
        results = _results(task, found)
        if context is None:
            found.left_out["task without a text"] += 1
        elif results is not None:
            _add(found, place, task, data, context, results)
    return found


def _context(data: Mapping[str, Any]) -> str | None:
    """The text of a task: under a usual key, else the longest one that is no question."""
    if (usual := first_text(data, TEXT_KEYS)) is not None:
        return usual
    texts = [value for key, value in data.items() if isinstance(value, str) and "question" not in str(key).lower()]
    return max(texts, key=len, default=None)


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
    return [[item for item in as_list(one.get("result")) if isinstance(item, Mapping)] for one in done]


def _minimal(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results of JSON_MIN, which has them under the names of its controls, in the form of the full export."""
    items: list[Mapping[str, Any]] = []
    for name, value in task.items():
        if isinstance(value, list):
            regions = [one for one in value if isinstance(one, Mapping) and "start" in one]
            items += [{"from_name": name, "value": region, "id": region.get("id")} for region in regions]
        choices = value.get("choices") if isinstance(value, Mapping) else [value]
        choices = ["yes" if one is True else "no" if one is False else one for one in as_list(choices)]
        if any(isinstance(one, str) and says_none(name, one) for one in choices):
            items.append({"from_name": name, "type": "choices", "value": {"choices": choices}})
        elif name.lower() in ("answer", "answers", "answer_text") and isinstance(value, str) and value.strip():
            items.append({"from_name": name, "type": "textarea", "value": {"text": [value]}})
    return items


def _add(
    found: Exported,
    place: str,
    task: Mapping[str, Any],
    data: Mapping[str, Any],
    context: str,
    annotations: list[list[Mapping[str, Any]]],
) -> None:
    """Add the questions of a task, each with the answers of all its annotations."""
    asked: dict[str, list[dict[str, Any]]] = {}
    # A question whose answer cannot be read has one all the same.
    unreadable: set[str] = set()
    own = first_text(data, QUESTION_KEYS) or _like_question(data)
    for results in annotations:
        typed = _typed(results)
        whole = own or typed.get(None)
        by_question = _spans_by_question(results, typed, whole, found)
        if whole is not None:
            by_question.setdefault(whole, [])
        if not by_question:
            found.left_out["annotation without a question"] += 1
        has_none = any(_says_none(result) for result in results)
        is_typed = not has_none and any(_is_typed_answer(result) for result in results)
        for question, spans in by_question.items():
            answers = asked.setdefault(question, [])
            found_answers = [] if has_none else _placed(spans, context, found)
            answers += found_answers
            if has_none and spans and not marks_none(spans):
                found.noted["marked span beside the choice that there is no answer, taken as no answer"] += 1
            if is_typed and not found_answers:
                found.left_out["answer that was typed, and not marked in the text"] += 1
            if (spans or is_typed) and not found_answers and not has_none and not marks_none(spans):
                unreadable.add(question)
    kept = {question: answers for question, answers in asked.items() if answers or question not in unreadable}
    for number, (question, answers) in enumerate(kept.items(), start=1):
        id = task.get("id")
        found.add(place, id if len(kept) == 1 or id is None else f"{id}-{number}", question, context, answers)


def _placed(spans: list[Span], context: str, found: Exported) -> list[dict[str, Any]]:
    """The answers that stand in the text; those that do not are counted."""
    answers = []
    for span in answer_spans(spans, found):
        if isinstance(span.start, str):
            found.left_out["answer that was marked in HTML or in a dialogue"] += 1
        elif (answer := span.placed(context)) is None:
            found.left_out["answer that does not stand where the export says"] += 1
        else:
            answers.append(answer)
    return answers


def _like_question(data: Mapping[str, Any]) -> str | None:
    texts = (value for key, value in data.items() if "question" in str(key).lower() and isinstance(value, str))
    return next((text for text in texts if text.strip()), None)


def _typed(results: Sequence[Mapping[str, Any]]) -> dict[Any, str]:
    """Questions that annotators typed: by the region that they belong to, or (None) to the whole text."""
    found: dict[Any, str] = {}
    for result in results:
        value = result.get("value")
        if result.get("type") != "textarea" or not isinstance(value, Mapping):
            continue
        text = value.get("text")
        text = text[0] if isinstance(text, list) and text else text
        name = str(result.get("from_name", "")).lower()
        if isinstance(text, str) and text.strip() and "answer" not in name:
            found[_region(result) if "start" in value else None] = text.strip()
    return found


def _spans_by_question(
    results: Sequence[Mapping[str, Any]], typed: Mapping[Any, str], whole: str | None, found: Exported
) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {}
    for result in results:
        value = result.get("value")
        if not isinstance(value, Mapping) or "start" not in value or result.get("type") == "textarea":
            continue
        label = _label(value)
        region = _region(result)
        question = None if region is None else typed.get(region)
        question = question or whole or (label if is_question(label) else None)
        if question is None:
            found.left_out["marked span without a question"] += 1
            continue
        text = value.get("text")
        spans.setdefault(question, []).append(
            Span(
                str(value["start"]) if "startOffset" in value else value["start"],
                value.get("end"),
                label,
                text if isinstance(text, str) else None,
            )
        )
    return spans


def _region(result: Mapping[str, Any]) -> str | int | None:
    """The id of the region that a result belongs to."""
    id = result.get("id")
    return id if isinstance(id, str | int) else None


def _label(value: Mapping[str, Any]) -> str:
    labels: Any = next((value[key] for key in ("labels", "hypertextlabels", "paragraphlabels") if value.get(key)), [])
    return str(labels[0]) if isinstance(labels, list) and labels else ""


def _says_none(result: Mapping[str, Any]) -> bool:
    """Whether a result is the choice that there is no answer."""
    value = result.get("value")
    choices = value.get("choices") if isinstance(value, Mapping) else None
    return any(says_none(str(result.get("from_name", "")), str(choice)) for choice in as_list(choices))


def _is_typed_answer(result: Mapping[str, Any]) -> bool:
    """Whether a result is an answer that somebody typed: it has no place in the text."""
    value = result.get("value")
    text = value.get("text") if isinstance(value, Mapping) else None
    is_answer = result.get("type") == "textarea" and "answer" in str(result.get("from_name", "")).lower()
    texts = text if isinstance(text, list) else [text]
    return is_answer and any(isinstance(one, str) and one.strip() for one in texts)
