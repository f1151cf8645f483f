"""A prediction as lines of a terminal: what became of the question, the question, the answer, the right answers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from qaexp.reporting.numbers.advice import number, shown
from qaexp.reporting.numbers.outcomes import outcome
from qaexp.runs.directory import NO_ANSWER
from qaexp.storage.formats import one_line

WIDTH = 80
_MAX_CHARACTERS = 1000
_LABEL_CHARACTERS = 11


def prediction_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a record of predictions.jsonl, the last one blank."""
    scores = f"f1 {shown(row, 'f1')} · null_score_diff {number(row['null_score_diff'], 2)}"
    yield f"{outcome(row)} · {scores}"
    golds = " / ".join(dict.fromkeys(map(str, row["golds"])))
    for label, text in (
        ("id", row["id"]),
        ("question", row["question"]),
        ("answered", row["prediction_text"] or NO_ANSWER),
        ("right", golds or NO_ANSWER),
    ):
        yield from _labelled(label, str(text))
    yield ""


def _labelled(label: str, text: str) -> list[str]:
    cut = text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
    head = f"  {label:<{_LABEL_CHARACTERS - 2}}"
    indent = " " * _LABEL_CHARACTERS
    return textwrap.wrap(one_line(cut), WIDTH, initial_indent=head, subsequent_indent=indent) or [head.rstrip()]
