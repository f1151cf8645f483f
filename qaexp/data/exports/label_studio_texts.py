"""What the texts of a task of Label Studio are: the context, its question, and others that are shown beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from qaexp.data.exports.exported import QUESTION_KEYS, TEXT_KEYS, first_text

_NUMBERED = re.compile(r"question([_ ]?\d+)?", re.IGNORECASE)
_LIKE_QUESTION = re.compile(r"question(_?text|[_ ]?\d+)?$", re.IGNORECASE)


def context_of(data: Mapping[str, Any]) -> str | None:
    """The text of a task: under a usual key, else the longest one that is no question."""
    if (usual := first_text(data, TEXT_KEYS)) is not None:
        return usual
    texts = [value for key, value in data.items() if isinstance(value, str) and "question" not in str(key).lower()]
    return max(texts, key=len, default=None)


def own_questions(data: Mapping[str, Any]) -> list[str]:
    """The question in the data of a task: several where they are numbered, or where no usual key says which it is.

    It stands under a usual key, or one that ends as a question does: `my question`, `question1`, not `question_type`.
    """
    texts = {str(key): value for key, value in data.items() if isinstance(value, str) and value.strip()}
    usual = first_text(data, QUESTION_KEYS)
    like = _LIKE_QUESTION.search if usual is None else _NUMBERED.fullmatch
    found = [] if usual is None else [usual]
    return list(dict.fromkeys([*found, *(text for key, text in texts.items() if like(key))]))


def is_elsewhere(data: Mapping[str, Any], context: str, result: Mapping[str, Any]) -> bool:
    """Whether a result is about another text of its task than the context: one that shows the question, or a title."""
    name, value = str(result.get("to_name") or ""), result.get("value")
    shown = {str(key).lower(): text for key, text in data.items() if isinstance(text, str)}.get(name.lower())
    if shown == context or not name:
        return False
    if name.lower() in QUESTION_KEYS or _LIKE_QUESTION.search(name):
        return True
    text, start = (value.get("text"), value.get("start")) if isinstance(value, Mapping) else (None, None)
    is_there = isinstance(text, str) and isinstance(start, int) and start >= 0 and bool(text.strip())
    return shown is not None and is_there and shown.startswith(str(text), start)
