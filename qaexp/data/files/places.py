"""Where an answer stands in its context: at its start, or, where faults are fixed, at the one place that is certain."""

from __future__ import annotations

from typing import Any

from qaexp.data.files.validation import Faults, OffsetFault, classify_offset, describe

_START_NAMES = ("start", "start_char", "char_start", "start_offset", "offset", "begin", "span_start", "answer_offset")

Placed = tuple[tuple[str, int] | None, bool]


def placed_answer(item: Any, prefix: str, context: str, faults: Faults) -> Placed:
    """Return an answer that stands where it says (None when it is wrong), and whether it had to be moved there."""
    is_sought = faults.on_bad == "fix"
    raw = {"text": item} if is_sought and isinstance(item, str) else faults.object(item, prefix)
    if raw is None:
        return None, False
    text = faults.text(raw, "text", prefix)
    if text and "answer_start" not in raw:
        raw = {**raw, **_start_by_another_name(raw, text, context)}
    if text is not None and text.strip() and raw.get("answer_start") is None:
        if is_sought:
            return _sought(text, prefix, context, faults, is_missing="answer_start" not in raw)
        faults.misses_places = True
    start = faults.whole(raw, "answer_start", prefix)
    if text is not None and not text.strip():
        faults.tell(f"{prefix}text", f"is {describe(text)}, it must not be blank")
        return None, False
    if text is None or start is None:
        return None, False
    if start >= 0 and context.startswith(text, start):
        return (text, start), False
    # The search for its place takes time, and would tell nobody anything.
    is_told = faults.on_bad == "fix" or not faults.is_full
    fault = classify_offset(context, text, start) if is_told else OffsetFault("elsewhere", None, False)
    where = f"{prefix}answer_start"
    sentence = f"is {start}, where {describe(text)} does not stand ({fault})"
    if faults.on_bad == "fix" and fault.start_char is not None and fault.is_unique:
        done = "moved" if fault.text is None else "spelled as there"
        faults.note_fixed(where, f"{sentence}; {done}")
        return (fault.text or text, fault.start_char), True
    faults.tell(where, sentence)
    return None, False


def _start_by_another_name(raw: dict[str, Any], text: str, context: str) -> dict[str, Any]:
    """The start of an answer that has it as annotation tools write it, where the text proves it."""
    found = (raw[name] for name in _START_NAMES if type(raw.get(name)) is int)
    start = next((one for one in found if one >= 0 and context.startswith(text, one)), None)
    return {} if start is None else {"answer_start": start}


def _sought(text: str, prefix: str, context: str, faults: Faults, *, is_missing: bool) -> Placed:
    """Return an answer without a start at the one place where its text stands."""
    where, first = f"{prefix}answer_start", context.find(text)
    is_alone = context.find(text, first + 1) < 0
    sentence = f"is {'missing' if is_missing else 'null'}, and {describe(text)} stands"
    if first >= 0 and is_alone and not _is_inside_a_word(context, first, first + len(text)):
        faults.note_fixed(where, f"{sentence} at {first} alone; found there")
        return (text, first), True
    place = "nowhere in the context" if first < 0 else "inside a word alone" if is_alone else "at several places"
    faults.tell(where, f"{sentence} {place}")
    return None, False


def _is_inside_a_word(context: str, begin: int, end: int) -> bool:
    """Whether a text begins or ends in the midst of a word, in a script whose words stand apart: `no` of `known`."""
    edges = ((begin - 1, begin), (end - 1, end))
    return any(
        left >= 0 and right < len(context) and _is_of_a_word(context[left]) and _is_of_a_word(context[right])
        for left, right in edges
    )


def _is_of_a_word(letter: str) -> bool:
    # Scripts without capitals may join words, or write no spaces.
    return letter.isdecimal() or letter.islower() or letter.isupper()
