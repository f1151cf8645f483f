"""Exports of Haystack: labels with their documents; what its annotation tool writes is SQuAD JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import Exported, Span

TOOL = "Haystack (labels)"


def is_haystack(record: Mapping[str, Any]) -> bool:
    """Whether an object is a label of Haystack.

    >>> is_haystack({"query": "Q?", "document": {"content": "C"}, "answer": None, "no_answer": True})
    True
    """
    asks = "query" in record or "question" in record
    answers = isinstance(record.get("document"), Mapping) and "answer" in record
    return asks and (answers or "is_correct_answer" in record)


def read_haystack(labels: Sequence[tuple[str, Mapping[str, Any]]]) -> Exported:
    """The questions of labels: all labels of a question on a document are its answers."""
    found = Exported(TOOL, "label", len(labels))
    asked: dict[tuple[str, str], tuple[str, Any, list[dict[str, Any]]]] = {}
    for place, label in labels:
        question, context = label.get("query", label.get("question")), _context(label)
        if not isinstance(question, str) or context is None:
            found.left_out["label without a question or without the text of its document"] += 1
        elif label.get("is_correct_answer") is False:
            found.left_out["label that says that an answer is wrong"] += 1
        elif (answers := _answers(label, context)) is None:
            found.left_out["answer that does not stand where the export says"] += 1
        else:
            asked.setdefault((question, context), (place, label.get("id"), []))[2].extend(answers)
    for (question, context), (place, id, answers) in asked.items():
        found.add(place, id, question, context, answers)
    return found


def _context(label: Mapping[str, Any]) -> str | None:
    document = label.get("document")
    text = document.get("content", document.get("text")) if isinstance(document, Mapping) else None
    return text if isinstance(text, str) else None


def _answers(label: Mapping[str, Any], context: str) -> list[dict[str, Any]] | None:
    """The answers of a label, none where it says that there is none; None where one does not stand in the text."""
    answer = label.get("answer")
    text = answer.get("answer", answer.get("data")) if isinstance(answer, Mapping) else answer
    if label.get("no_answer") or not isinstance(text, str) or not text.strip():
        return []
    starts = _starts(answer, label) or [context.find(text)]
    found = [Span(start, start + len(text), "", text).placed(context) for start in starts if isinstance(start, int)]
    return [one for one in found if one is not None] or None


def _starts(answer: Any, label: Mapping[str, Any]) -> list[Any]:
    offsets = answer.get("offsets_in_document") if isinstance(answer, Mapping) else None
    if isinstance(offsets, list):
        return [one["start"] for one in offsets if isinstance(one, Mapping) and "start" in one]
    start = label.get("offset_start_in_doc")
    return [] if start is None else [start]
