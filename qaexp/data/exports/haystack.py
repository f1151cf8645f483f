"""Exports of Haystack: labels with their documents; what its annotation tool writes is SQuAD JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.data.exports.exported import Exported, Span
from qaexp.data.files.cells import read_yes_no

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
    without: set[tuple[str, str]] = set()
    unread: set[tuple[str, str]] = set()
    for place, label in labels:
        question, context = label.get("query", label.get("question")), _context(label)
        if not isinstance(question, str) or context is None:
            found.left_out["label without a question or without the text of its document"] += 1
        elif read_yes_no(label.get("is_correct_answer")) is False:
            found.left_out["label that says that an answer is wrong"] += 1
        elif isinstance(answers := _answers(label, context), str):
            found.left_out[answers] += 1
            unread.add((question, context))
        else:
            asked.setdefault((question, context), (place, label.get("id"), []))[2].extend(answers)
            without.update(() if answers else [(question, context)])
    for (question, context), (place, id, answers) in asked.items():
        if not answers and (question, context) in unread:
            found.left_out["question without an answer for some, and with one that cannot be taken for others"] += 1
            continue
        if answers and (question, context) in without:
            found.noted["question without an answer for some, and with one for others, taken with it"] += 1
        found.add(place, id, question, context, answers)
    return found


def _context(label: Mapping[str, Any]) -> str | None:
    document = label.get("document")
    text = document.get("content", document.get("text")) if isinstance(document, Mapping) else None
    return text if isinstance(text, str) else None


def _answers(label: Mapping[str, Any], context: str) -> list[dict[str, Any]] | str:
    """The answers of a label, none where it says that there is none; a sentence where they cannot be taken."""
    answer = label.get("answer")
    text = answer.get("answer", answer.get("data")) if isinstance(answer, Mapping) else answer
    is_blank = text is None or (isinstance(text, str) and not text.strip())
    says_none = read_yes_no(label.get("no_answer"))
    if says_none is True:
        return [] if is_blank else "label that has an answer and says that there is none"
    is_open = says_none is None and read_yes_no(label.get("is_correct_document")) is not False
    if is_blank and text is not None and is_open:
        return []
    if is_blank:
        return "label without an answer that does not say that there is none"
    if not isinstance(text, str):
        return "answer that is no text"
    starts = _starts(answer, label)
    first = context.find(text)
    if not starts and context.find(text, first + 1) > first >= 0:
        return "answer without a place whose text stands at several"
    found = [Span(one, one + len(text), "", text).placed(context) for one in starts or [first] if type(one) is int]
    return [one for one in found if one is not None] or "answer that does not stand where the export says"


def _starts(answer: Any, label: Mapping[str, Any]) -> list[Any]:
    offsets = answer.get("offsets_in_document") if isinstance(answer, Mapping) else None
    if isinstance(offsets, list):
        return [one["start"] for one in offsets if isinstance(one, Mapping) and "start" in one]
    start = label.get("offset_start_in_doc")
    return [] if start is None else [start]
