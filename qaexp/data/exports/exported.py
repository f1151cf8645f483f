"""What every reader of an export gives: flat rows with their places, and what was left out of it, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qaexp.data.exports.statements import labels_none, labels_wrong
from qaexp.data.files.golds import MAX_ANSWERS
from qaexp.data.files.validation import classify_offset

QUESTION_KEYS = ("question", "query", "question_text", "q", "prompt")
TEXT_KEYS = ("text", "context", "passage", "paragraph", "document", "content", "article", "body", "data")


@dataclass(slots=True)
class Exported:
    """The questions of an export.

    Attributes:
        tool: What made it.
        num_read: Tasks, documents or labels that it holds.
        unit: What one of these is called there.
        rows: Flat rows with their places.
        left_out: Why something was left out, and how often.
        noted: What was taken in a way that should be told, and how often.
    """

    tool: str
    unit: str
    num_read: int = 0
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)

    def add(self, place: str, id: object, question: str, context: str, answers: list[dict[str, Any]]) -> None:
        """Add a question; without answers it has none in its text."""
        if len(answers) > MAX_ANSWERS:
            self.left_out[f"question with more than {MAX_ANSWERS:,} answers"] += 1
            return
        unique = list({(answer["text"], answer["answer_start"]): answer for answer in answers}.values())
        row = {"context": context, "question": question, "answers": unique, "is_impossible": not unique}
        self.rows.append((place, row if id is None else {"id": id, **row}))


@dataclass(frozen=True, slots=True)
class Span:
    """A marked stretch of a text, with its label, what the tool says that it reads, and why it cannot be taken."""

    start: Any
    end: Any
    label: str
    text: str | None = None
    unread: str = ""

    def placed(self, context: str) -> dict[str, Any] | None:
        """The span as an answer of the context; None where it does not stand there.

        Some tools count UTF-16 units, and write a line end as two characters.
        """
        if not _is_whole(self.start) or not _is_whole(self.end) or self.end <= self.start:
            return None
        if self.text is None and self.end > len(context):
            return None
        inside = context[self.start : self.end]
        text = inside if self.text is None else self.text
        if text not in (inside, inside.strip()) and "\\n" in text:
            text = text.replace("\\r", "\r").replace("\\n", "\n")
        if not text.strip():
            return None
        if context.startswith(text, self.start):
            return {"text": text, "answer_start": self.start}
        if text == inside.strip():
            return {"text": text, "answer_start": self.start + inside.index(text)}
        fault = classify_offset(context, text, self.start)
        # Another place may be another answer, even where it is the only one: the text may be of the question.
        is_sure = fault.kind in ("utf16", "crlf") or (fault.text is not None and fault.start_char == self.start)
        return {"text": fault.text or text, "answer_start": fault.start_char} if is_sure else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def as_list(value: Any) -> list[Any]:
    """The value where it is a list; whatever else stands in its place holds nothing.

    >>> as_list([1]), as_list(5), as_list("ab")
    ([1], [], [])
    """
    return value if isinstance(value, list) else []


def first_text(record: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first text under one of some keys, in any case of letters."""
    plain = {str(key).lower(): value for key, value in record.items()}
    return next((plain[key] for key in keys if isinstance(plain.get(key), str) and plain[key].strip()), None)


def is_question(label: str) -> bool:
    """Whether a label is a question itself, as where a tool for spans is used for questions.

    >>> is_question("Which river?"), is_question("ANSWER")
    (True, False)
    """
    return label.rstrip().endswith(("?", "\uff1f", "\u061f"))


def answer_spans(spans: list[Span], found: Exported) -> list[Span]:
    """The spans that are answers: those with a label that says so, where there is one; else all.

    Those whose label says the contrary are never answers: they are counted, unless they say that there is none.
    """
    wrong = [span for span in spans if not labels_none(span.label) and labels_wrong(span.label)]
    found.left_out["marked span whose label says that it is no answer"] += len(wrong)
    right = [span for span in spans if not labels_none(span.label) and span not in wrong]
    named = [span for span in right if "answer" in span.label.lower()]
    return named or right


def marks_none(spans: list[Span]) -> bool:
    """Whether all spans of a question have a label that says that there is no answer."""
    return bool(spans) and all(labels_none(span.label) for span in spans)
