"""A CSV table with one score a question: `id,f1`, and `exact` where it is known, in percent, taken as given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qaexp.comparison.others.answers import Answers
from qaexp.comparison.others.json_objects import finite, text_in
from qaexp.errors import DataError
from qaexp.storage.formats import each_csv_row
from qaexp.storage.reading import check_cells

PROGRAM = "a table of scores"
_MOST = 100.0
_ROUNDED = 0.01
"""What rounding may take from a score."""


def is_score_table(first_line: str) -> bool:
    """Whether the first line of a file is the head of such a table.

    >>> is_score_table("id,f1,exact"), is_score_table("id,question")
    (True, False)
    """
    names = {name.strip(' "\r\n') for name in first_line.split(",")}
    return {"id", "f1"} <= names


def read_score_table(path: Path) -> Answers:
    """Read a table of scores.

    Raises:
        DataError: A cell is not a score in percent, or an id stands there twice.
    """
    text = text_in(path)
    check_cells(path, text.count("\n"), text.count(","))
    scores: dict[str, dict[str, float]] = {}
    try:
        for row in each_csv_row(text):
            id = row["id"]
            if id in scores:
                raise DataError(f"{path}: {id!r:.80} stands there twice; ids must be unique")
            scores[id] = {name: _score(path, row, name) for name in ("f1", "exact") if name in row}
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    _check_percent(path, scores)
    lacking = [] if all("exact" in row for row in scores.values()) else ["exact is not in it"]
    return Answers(PROGRAM, scores=scores, notes=("its scores are taken as given, none is computed here", *lacking))


def _score(path: Path, row: Mapping[str, str], name: str) -> float:
    try:
        value = finite(path, row["id"], float(row[name]))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: {name} of {row['id']!r:.80} is {row[name]!r:.40}, not a number") from None
    if not 0 <= value <= _MOST:
        raise DataError(f"{path}: {name} of {row['id']!r:.80} is {value:g}, it must be in percent, from 0 to 100")
    return value


def _check_percent(path: Path, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Refuse a column that was most likely written from 0 to 1, whose differences would be a hundredth.

    And an exact answer without a full f1: one of the two columns is another score.
    """
    for name in ("f1", "exact"):
        most = max((row[name] for row in scores.values() if name in row), default=0.0)
        if 0 < most <= 1:
            raise DataError(f"{path}: no {name} is above {most:g}, so it is not in percent; give it from 0 to 100")
    for id, row in scores.items():
        if row.get("exact", 0.0) > row["f1"] + _ROUNDED:
            raise DataError(
                f"{path}: exact of {id!r:.80} is {row['exact']:g}, above its f1 of {row['f1']:g}, which no answer has; "
                "give the exact and f1 of the same answers"
            )
