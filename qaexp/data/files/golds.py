"""The gold answers of a question as files spell them: lists, pairs of columns, and the ways to say that none is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qaexp.data.files.cells import answers_of_columns, is_place, read_cell
from qaexp.data.files.flags import flag_of, is_consistent, is_flag_read
from qaexp.data.files.mapped import with_mapped_answers
from qaexp.data.files.mrqa import SPANS, span_answers
from qaexp.data.files.places import placed_answer
from qaexp.data.files.reading import Record
from qaexp.data.files.validation import MISSING, Faults, describe

MAX_ANSWERS = 10_000
"""Gold answers that one question may have."""

# QuAC appends it to every context, and says by it that there is no answer.
_QUAC_MARKER = "CANNOTANSWER"
_NO_ANSWER_TEXTS = frozenset({"cannotanswer", "no answer", "no_answer", "noanswer", "unanswerable", "[no answer]"})
# What pandas and Python print where nothing is.
_MISSING = frozenset({"nan", "NaN", "None", "<NA>", "null", "NULL"})
_NO_ANSWER_CATEGORIES = frozenset({"no_answer", "none", "is_impossible", "noanswer"})


@dataclass(frozen=True, slots=True)
class Found:
    """The answers of a question as (text, first character, or -1); `is_blank`: something there said that none is."""

    answers: tuple[tuple[str, int], ...] = ()
    is_blank: bool = False


@dataclass(frozen=True, slots=True)
class _Raw:
    """The answers as a list of whatever stands there, and whether nothing in them says plainly that there is none."""

    items: list[Any]
    is_blank: bool = False


def says_something(record: Record) -> bool:
    """Whether a record has answers, in whatever form, or says that it has none."""
    fields = record.fields
    return not fields.keys().isdisjoint({"answers", "answer_text", SPANS}) or flag_of(record) is True


def gold_answers(record: Record, faults: Faults) -> Found | None:
    """Return the gold answers of a record, or None when one of them is wrong or contradicts `is_impossible`."""
    if not is_flag_read(record, faults):
        return None
    if SPANS in record.fields and not record.is_flat:
        return _of_spans(record, faults)
    raw = _raw(record, faults)
    if raw is not None and not _is_clear(raw.items, record, faults):
        return None
    if raw is not None and flag_of(record) in (True, MISSING) and _all_say_none(raw.items, record):
        raw = _Raw([], is_blank=True)
    agrees = raw is not None and is_consistent(record, len(raw.items), faults, is_blank=raw.is_blank)
    if raw is None or record.context is None:
        return None
    found = [
        placed_answer(item, f"{record.prefix}answers[{index}].", record.context, faults)
        for index, item in enumerate(raw.items)
    ]
    answers = tuple(answer for answer, _ in found if answer is not None)
    if not agrees or len(answers) < len(raw.items):
        return None
    faults.num_fixed += any(is_fixed for _, is_fixed in found)
    return Found(answers, raw.is_blank)


def _of_spans(record: Record, faults: Faults) -> Found | None:
    """The answers of a question of MRQA, which has none only where it says so."""
    found = span_answers(record, faults)
    if found is None or _few(list(found), record, faults) is None:
        return None
    return Found(found) if is_consistent(record, len(found), faults, is_blank=False) else None


def _raw(record: Record, faults: Faults) -> _Raw | None:
    """Return the answers as a list; None, after a fault, where they are nothing of the kind."""
    fields = with_mapped_answers(record, faults)
    if fields is None:
        return None
    value = fields.get("answers", MISSING)
    if record.is_flat and isinstance(value, str):
        value = _of_cell(value, fields)
    if record.is_flat and "answer_start" in fields and _are_texts(value):
        value = answers_of_columns({**fields, "answer_text": value})
    if value in (MISSING, None) and "answer_text" in fields:
        value = answers_of_columns(fields)
    elif record.is_flat and value == [] and fields.get("answer_text"):
        faults.tell(f"{record.prefix}answers", "is empty, but answer_text is not; leave one of them out")
        return None
    flag = flag_of(record)
    if (value is None and flag in (True, MISSING)) or (value is MISSING and flag is True):
        return _Raw([], is_blank=True)
    if value is None and record.is_flat and "answers" not in fields:
        return _Raw([])
    if isinstance(value, dict) and (record.is_flat or {"text", "answer_start"} & set(value)):
        return _of_lists(value, record, faults)
    items = _few(
        faults.items({"answers": value} if value is not MISSING else {}, "answers", record.prefix), record, faults
    )
    return None if items is None else _Raw(items)


def _of_cell(cell: str, fields: Mapping[str, Any]) -> Any:
    """What a text in the place of the answers holds: answers as a table writes them, or the one answer that it is."""
    value = read_cell(cell)
    items = value if isinstance(value, list) else [value]
    is_list = all(isinstance(one, dict) for one in items) and (any(items) or not is_place(fields.get("answer_start")))
    return value if is_list else answers_of_columns({**fields, "answer_text": cell})


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _of_lists(value: dict[str, Any], record: Record, faults: Faults) -> _Raw | None:
    """The answers of `{"text": [...], "answer_start": [...]}`, or of one text and one start."""
    prefix = f"{record.prefix}answers."
    if not isinstance(value.get("text"), list) and not isinstance(value.get("answer_start"), list) and "text" in value:
        return _Raw([value])
    texts, starts = faults.items(value, "text", prefix), faults.items(value, "answer_start", prefix)
    texts = _few(texts, record, faults)
    if texts is None or starts is None:
        return None
    if len(texts) != len(starts):
        faults.tell(f"{record.prefix}answers", f"has {len(texts)} texts and {len(starts)} starts, it must have as many")
        return None
    items = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    # In the official nesting an empty list alone may as well be a label that is missing.
    return _Raw(items, is_blank=not items and not record.is_flat)


def _few(items: list[Any] | None, record: Record, faults: Faults) -> list[Any] | None:
    """The answers of a question, unless they are more than anybody gives."""
    if items is not None and len(items) > MAX_ANSWERS:
        faults.tell(f"{record.prefix}answers", f"has {len(items):,} of them, it may have {MAX_ANSWERS:,}")
        return None
    return items


def _all_say_none(items: list[Any], record: Record) -> bool:
    return bool(items) and all(_says_none(item, record.context or "") for item in items)


def _is_clear(items: list[Any], record: Record, faults: Faults) -> bool:
    """Whether answers and their absence cannot be confused, where `is_impossible` does not decide; told otherwise."""
    if flag_of(record) is not MISSING:
        return True
    start = record.fields.get("answer_start")
    if not items and record.is_flat and is_place(start):
        faults.tell(record.place("answer_start"), f"is {describe(start)}, and there is no answer for it")
        return False
    word = next((word for item in items if (word := _word_of_both(item, record.context or "")) is not None), None)
    if word is not None:
        sentence = f"has {describe(word)}, which may be an answer or say that there is none; is_impossible decides it"
        faults.tell(f"{record.prefix}answers", sentence)
    return word is None


def _word_of_both(item: Any, context: str) -> str | None:
    """A word for no answer that may be meant as an answer: it has a place, or the context has it elsewhere."""
    text = item.get("text") if isinstance(item, dict) else None
    if not isinstance(text, str) or text.strip().lower() not in _NO_ANSWER_TEXTS or text.strip() == _QUAC_MARKER:
        return None
    if str(item.get("answer_category") or "").lower() in _NO_ANSWER_CATEGORIES:
        return None
    start = item.get("answer_start")
    if isinstance(start, int) and start >= 0 and context.startswith(text, start):
        return None
    is_placed = isinstance(start, int) and start > 0
    return text if is_placed or text.strip().lower() in context.lower() else None


def _says_none(item: Any, context: str) -> bool:
    """Whether an answer is one of the spellings of "no answer": blank, a word for it, or at -1 and not in the text.

    A word for it that stands where the answer says is an answer: texts speak of questions too.
    """
    if item is None:
        return True
    if isinstance(item, str):
        return not item.strip()
    if not isinstance(item, dict):
        return False
    text, start = item.get("text"), item.get("answer_start")
    if str(item.get("answer_category") or "").lower() in _NO_ANSWER_CATEGORIES:
        return True
    if text is None:
        return start in (None, -1) and bool({"text", "answer_start"} & set(item))
    if not isinstance(text, str):
        return False
    if not text.strip() or text.strip() == _QUAC_MARKER:
        return True
    is_null = start is None and "answer_start" in item
    if is_null and text.strip() in _MISSING and not re.search(rf"\b{re.escape(text.strip())}\b", context):
        return True
    if text.strip().lower() in _NO_ANSWER_TEXTS:
        return not (isinstance(start, int) and start >= 0 and context.startswith(text, start))
    return start == -1 and text not in context
