"""Are the keys of a JSON file those that are needed: one sentence for a file that calls them otherwise."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from qaexp.data.files.annotation_tools import tool_of
from qaexp.data.files.names import check_names, guess, theirs
from qaexp.data.files.reading import Reading
from qaexp.errors import DataError

NUM_PEEKED = 100
"""So many values are looked at to learn what a file holds."""

_MAX_PEEKED = 4 * 2**20
T = TypeVar("T")


def peek(values: Iterator[T], fields_of: Callable[[T], Any]) -> list[T]:
    """Take the first values, fewer where their texts are long, so that little is held at a time.

    Args:
        values: They go on behind those that are returned.
        fields_of: What a value holds; the characters of the texts in it are counted.
    """
    first: list[T] = []
    num_characters = 0
    for value in values:
        first.append(value)
        fields = fields_of(value)
        texts = fields.values() if isinstance(fields, dict) else ()
        num_characters += sum(len(text) for text in texts if isinstance(text, str))
        if len(first) == NUM_PEEKED or num_characters > _MAX_PEEKED:
            break
    return first


def check_rows(rows: list[dict[str, Any]], reading: Reading) -> None:
    """Hold the names of the first rows against those that are needed.

    Where faulty rows are skipped, a later one may have them: then it is told only where none has.

    Raises:
        DataError: Some are missing; the export of an annotation tool is called so.
    """
    file = reading.file
    try:
        names = dict.fromkeys(name for row in rows for name in row)
        check_names(file, names, reading.columns, wants_answers=reading.wants_answers)
    except DataError as error:
        if (tool := tool_of(rows)) is None:
            if reading.faults.on_bad != "skip":
                raise
            reading.faults.doubt = error
            return
        raise DataError(
            f"{file} is an export of {tool}; make SQuAD JSON of it: qaexp convert {shlex.quote(file)} --to squad"
        ) from error


def check_nested(articles: list[dict[str, Any]], reading: Reading) -> None:
    """Hold the keys of paragraphs and questions against those that are needed, where others may be meant.

    Raises:
        DataError: As for rows.
    """
    paragraphs = [one for article in articles for one in _objects(article.get("paragraphs", [article]))]
    questions = [one for paragraph in paragraphs[:NUM_PEEKED] for one in _objects(paragraph.get("qas"))]
    above, below = ({key for one in part[:NUM_PEEKED] for key in one} for part in (paragraphs, questions))
    called = theirs(reading.columns)
    meant = [
        called[name] not in names and guess(name, names, ()) is not None
        for name, names in (("context", above - {"qas"}), ("question", below), ("answers", below))
        if names
    ]
    if any(meant) or (questions and not set(reading.columns.values()) <= above | below | {"title"}):
        names = dict.fromkeys([*sorted(above - {"qas", "title"}), *sorted(below)])
        check_names(reading.file, names, reading.columns, wants_answers=reading.wants_answers)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
