"""Exports of doccano: one text a line with its marked spans; the question is a field beside it, or the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import QUESTION_KEYS, Exported, Span, answer_spans, first_text, is_question

TOOL = "doccano"
_SPAN_KEYS = ("label", "labels", "entities", "annotations", "spans")


def is_doccano(record: Mapping[str, Any]) -> bool:
    """Whether an object is a document of an export of doccano.

    >>> is_doccano({"id": 1, "text": "Paris", "label": [[0, 5, "ANSWER"]]})
    True
    """
    if _text(record) is None:
        return False
    return "Comments" in record or any(_is_spans(record.get(key)) for key in _SPAN_KEYS)


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_span(item) is not None for item in value)


def _span(item: Any) -> Span | None:
    """A span as `[start, end, label]` or as an object with offsets; None for anything else."""
    if isinstance(item, list) and len(item) == 3 and isinstance(item[0], int) and isinstance(item[1], int):
        return Span(item[0], item[1], str(item[2]))
    if isinstance(item, Mapping) and "start_offset" in item:
        return Span(item["start_offset"], item.get("end_offset"), str(item.get("label", "")))
    return None


def read_doccano(documents: Sequence[tuple[str, Mapping[str, Any]]]) -> Exported:
    """The questions of documents."""
    found = Exported(TOOL, "document", len(documents))
    for place, document in documents:
        context = _text(document)
        if context is None:
            found.left_out["document without a text"] += 1
        else:
            _add(found, place, document, context)
    return found


def _text(document: Mapping[str, Any]) -> str | None:
    return next((document[key] for key in ("text", "data") if isinstance(document.get(key), str)), None)


def _spans(document: Mapping[str, Any]) -> list[Span]:
    items: Any = next(
        (document[key] for key in _SPAN_KEYS if isinstance(document.get(key), list) and document[key]), []
    )
    return [span for item in items if (span := _span(item)) is not None]


def _question(document: Mapping[str, Any]) -> str | None:
    nested = [document[key] for key in ("meta", "metadata") if isinstance(document.get(key), Mapping)]
    return next((found for part in [document, *nested] if (found := first_text(part, QUESTION_KEYS))), None)


def _add(found: Exported, place: str, document: Mapping[str, Any], context: str) -> None:
    """Add the questions of a document: the one that is written beside it, or one for each label."""
    question, spans = _question(document), _spans(document)
    asked: dict[str, list[Span]] = {}
    if question is not None:
        asked[question] = answer_spans(spans)
    elif not spans:
        found.left_out["document without a question and without spans"] += 1
    for span in spans if question is None else ():
        if is_question(span.label):
            asked.setdefault(span.label.strip(), []).append(span)
        else:
            found.left_out["span whose label is no question, of a document without a question"] += 1
    for number, (text, marked) in enumerate(asked.items(), start=1):
        answers = [answer for span in marked if (answer := span.placed(context)) is not None]
        found.left_out["answer that does not stand in its text"] += len(marked) - len(answers)
        if answers or not marked:
            id = document.get("id")
            found.add(place, id if len(asked) == 1 or id is None else f"{id}-{number}", text, context, answers)
