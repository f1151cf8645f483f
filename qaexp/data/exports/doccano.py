"""Exports of doccano: one text a line with its marked spans; the question is a field beside it, or the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import QUESTION_KEYS, Exported, Span, answer_spans, first_text, is_question, marks_none
from qaexp.data.exports.statements import labels_none
from qaexp.data.files.cells import whole_of

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
    """A span as `[start, end, label]` or as an object with offsets; None for anything else.

    Whole numbers may be written as text or with a point, and the label may be absent.
    """
    if isinstance(item, list) and len(item) > 1:
        start, end, label = whole_of(item[0]), whole_of(item[1]), item[2] if len(item) > 2 else ""
    elif isinstance(item, Mapping):
        start = whole_of(item.get("start_offset", item.get("start")))
        end, label = whole_of(item.get("end_offset", item.get("end"))), item.get("label", "")
    else:
        return None
    return Span(start, end, str(label)) if type(start) is int and type(end) is int else None


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


def _items(document: Mapping[str, Any]) -> list[Any]:
    """What was marked in a document, or chosen for it, in whatever form."""
    items: Any = next((document[key] for key in _SPAN_KEYS if document.get(key)), [])
    return items if isinstance(items, list) else [items]


def _question(document: Mapping[str, Any]) -> str | None:
    nested = [document[key] for key in ("meta", "metadata") if isinstance(document.get(key), Mapping)]
    return next((found for part in [document, *nested] if (found := first_text(part, QUESTION_KEYS))), None)


def _add(found: Exported, place: str, document: Mapping[str, Any], context: str) -> None:
    """Add the questions of a document: the one that is written beside it, or one for each label."""
    question, items = _question(document), _items(document)
    # The whole document may have a label, too, which says that there is no answer.
    says_none = any(isinstance(item, str) and labels_none(item) for item in items)
    spans = [span for item in items if (span := _span(item)) is not None]
    num_unread = 0 if says_none else len(items) - len(spans)
    found.left_out["annotation that is no span of the text"] += num_unread
    asked: dict[str, list[Span]] = {}
    if question is not None:
        asked[question] = answer_spans(spans, found)
        if not items:
            found.noted["document without an annotation, taken as a question without an answer"] += 1
    elif not spans and not num_unread:
        found.left_out["document without a question and without spans"] += 1
    for span in spans if question is None else ():
        if is_question(span.label):
            asked.setdefault(span.label.strip(), []).append(span)
        else:
            found.left_out["span whose label is no question, of a document without a question"] += 1
    for number, (text, marked) in enumerate(asked.items(), start=1):
        answers = [answer for span in marked if (answer := span.placed(context)) is not None]
        found.left_out["answer that does not stand in its text"] += len(marked) - len(answers)
        if answers or not items or (not num_unread and (says_none or marks_none(spans))):
            id = document.get("id")
            found.add(place, id if len(asked) == 1 or id is None else f"{id}-{number}", text, context, answers)
