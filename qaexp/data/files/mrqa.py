"""Files of the MRQA 2019 shared task: a header, then a context a line, with spans of answers whose end is inclusive."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from qaexp.data.files.reading import Reading, Record
from qaexp.data.files.validation import MISSING, Faults, describe

SPANS = "detected_answers"
"""The key that only questions of such files have."""

UNPLACED = -1
"""The place of a gold text that no span marks."""

_ID = "qid"
_NUM_LOOKED_AT = 100
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

Placed = tuple[tuple[str, int], ...]


def is_header(value: Any) -> bool:
    """Whether a line says which data set follows.

    >>> is_header({"header": {"dataset": "SQuAD", "split": "train"}}), is_header({"header": "Paris", "qas": []})
    (True, False)
    """
    return isinstance(value, Mapping) and list(value) == ["header"] and isinstance(value["header"], Mapping)


def is_mrqa(values: Iterable[Any]) -> bool:
    """Whether the first values of a file are those of MRQA: one is a header, or a question has marked spans."""
    looked_at = list(values)
    return any(map(is_header, looked_at)) or any(SPANS in question for question in _questions(looked_at))


def mrqa_reading(reading: Reading, values: Iterable[Any]) -> Reading:
    """How such a file is read: a question is called by its `qid`, where it has one."""
    if not any(_ID in question for question in _questions(values)):
        return reading
    return replace(reading, columns={"id": _ID, **reading.columns})


def _questions(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The first questions, unchecked."""
    lists = (value.get("qas") for value in values if isinstance(value, dict))
    every = (one for qas in lists if isinstance(qas, list) for one in qas if isinstance(one, dict))
    return islice(every, _NUM_LOOKED_AT)


def span_answers(record: Record, faults: Faults) -> Placed | None:
    """Return what the spans of a question mark, then the other texts of `answers`; None when any of it is wrong.

    A span decides over the text beside it: the two may differ in case, articles, spaces and punctuation, as the scorer
    of the task overlooks them.

    Returns:
        Each text once, with its first character; `UNPLACED` for a text of `answers` that no span marks. The official
        scorer takes these for right as well.
    """
    where, answers = f"{record.prefix}{SPANS}", faults.items(record.fields, SPANS, record.prefix)
    if answers is None or record.context is None:
        return None
    found: list[tuple[str, int] | None] = []
    for index, answer in enumerate(answers):
        found += _marked(answer, f"{where}[{index}].", record.context, faults)
    texts = _texts(record, faults)
    if texts is None or None in found:
        return None
    placed = [one for one in found if one is not None]
    if texts and not placed:
        faults.tell(where, "is empty, and answers is not; each question of MRQA has a span")
        return None
    known = {text for text, _ in placed}
    return tuple(dict.fromkeys([*placed, *((text, UNPLACED) for text in texts if text not in known)]))


def _texts(record: Record, faults: Faults) -> list[str] | None:
    """The texts of `answers`, which files that were made for training may lack."""
    if record.fields.get("answers", MISSING) is MISSING:
        return []
    values = faults.items(record.fields, "answers", record.prefix)
    if values is None:
        return None
    named = {f"answers[{index}]": value for index, value in enumerate(values)}
    found = [faults.text(named, name, record.prefix) for name in named]
    return None if None in found else [text for text in found if text is not None and text.strip()]


def _marked(answer: Any, prefix: str, context: str, faults: Faults) -> list[tuple[str, int] | None]:
    """What the spans of an answer mark; None for each that is wrong."""
    fields = faults.object(answer, prefix)
    text = None if fields is None else faults.text(fields, "text", prefix)
    spans = None if fields is None else faults.items(fields, "char_spans", prefix)
    if text is None or spans is None:
        return [None]
    if not spans:
        faults.tell(f"{prefix}char_spans", "is empty, it must have the span of each place where the text stands")
        return [None]
    return [_span(span, text, f"{prefix}char_spans[{index}]", context, faults) for index, span in enumerate(spans)]


def _span(span: Any, text: str, where: str, context: str, faults: Faults) -> tuple[str, int] | None:
    if not isinstance(span, list) or [type(place) for place in span] != [int, int]:
        faults.tell(where, f"is {describe(span)}, it must be [first character, last character]")
        return None
    start, last = span
    if _is_exclusive(context, text, start, last):
        sentence = f"is {last}, one behind {describe(text)}; ends are inclusive in MRQA: subtract 1 from each of them"
        # The spans that do not show it end too late as well: it is no fault of one question, which may be left out.
        faults.tell(f"{where}[1]", sentence, is_fatal=True)
        return None
    if not 0 <= start <= last < len(context):
        size = f"a context of {len(context):,} characters"
        faults.tell(where, f"is {span}, which is no [first, last] in {size} that are counted from 0")
        return None
    found = context[start : last + 1]
    if found != text and _plain(found) != _plain(text):
        faults.tell(where, f"is {span}, which marks {describe(found)} and not {describe(text)}; its end is inclusive")
        return None
    if not found.strip():
        faults.tell(where, f"is {span}, which marks {describe(found)}; an answer must not be blank")
        return None
    return found, start


def _is_exclusive(context: str, text: str, start: int, end: int) -> bool:
    """Whether the text itself proves that a span ends one character behind it.

    Punctuation behind the text proves nothing: spans of MRQA are those of tokens, and `U.S` is marked as `U.S.`.
    """
    if not text or not 0 <= start < end <= len(context) or context[start:end] != text:
        return False
    return end == len(context) or context[end].isspace() or context[end].isalnum()


def _plain(text: str) -> str:
    """What the scorer of the task compares, without spaces too: some releases write `early- life` for `early-life`.

    >>> _plain("The early- life"), _plain("Early-life.")
    ('earlylife', 'earlylife')
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_ARTICLES.sub(" ", folded.translate(_NO_PUNCTUATION)).split())


_NO_PUNCTUATION = {ord(sign): None for sign in string.punctuation}
