"""Answers in columns that the user named, beside a column of answers that nobody named: the named ones count."""

from __future__ import annotations

from typing import Any

from qaexp.data.files.cells import answers_of_columns, is_place, read_cell
from qaexp.data.files.reading import Record
from qaexp.data.files.validation import Faults


def with_mapped_answers(record: Record, faults: Faults) -> dict[str, Any] | None:
    """The fields of a record without the answers that its mapped columns replace.

    None, after a fault, where both say something that cannot hold, or a mapped column would have no effect.
    """
    fields, columns = record.fields, record.columns
    if "answers" not in fields or columns.keys().isdisjoint({"answer_text", "answer_start"}):
        return fields
    where = record.place("answers")
    if "answer_text" in columns and "answer_text" in fields:
        if not _holds(answers_of_columns(fields)) and _holds(fields["answers"]):
            faults.tell(
                where, f"has an answer, and {columns['answer_text']!a}, which is mapped, has none; leave one out"
            )
            return None
        if "answers" in columns and _holds(fields["answers"]):
            faults.tell(where, f"is mapped, and so is {columns['answer_text']!a}, which has an answer; map one of them")
            return None
        return {name: value for name, value in fields.items() if name != "answers"}
    if "answer_start" in columns and is_place(fields.get("answer_start")) and _has_places(fields["answers"]):
        start = columns["answer_start"]
        faults.tell(where, f"has its places in it, so that {start!a}, which is mapped, has no effect; leave it out")
        return None
    return fields


def _items(answers: Any) -> list[Any]:
    value = read_cell(answers) if isinstance(answers, str) else answers
    return value if isinstance(value, list) else [value]


def _holds(answers: Any) -> bool:
    """Whether a value in the place of the answers has one that is not blank."""
    texts = [one.get("text") if isinstance(one, dict) else one for one in _items(answers)]
    every = [text for one in texts for text in (one if isinstance(one, list) else [one])]
    return any(str(text).strip() for text in every if text is not None)


def _has_places(answers: Any) -> bool:
    return any(isinstance(one, dict) for one in _items(answers))
