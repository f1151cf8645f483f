"""How records look as text, and back: JSON for people, JSON lines, and CSV that no spreadsheet runs as a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def json_text(obj: Any) -> str:
    """Return `obj` as JSON for people: keys in the given order, an indent of one, no NaN.

    Raises:
        ValueError: When a number is NaN or infinite.
    """
    return json.dumps(obj, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def json_line(record: Any) -> str:
    r"""Return a record as one line of JSON, the same bytes for the same record.

    Raises:
        ValueError: When a number is NaN or infinite.

    >>> json_line({"step": 1, "loss": 0.5})
    '{"step": 1, "loss": 0.5}\n'
    """
    return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Return a CSV table: floats in full, None as an empty cell, `\n` line ends.

    A text that a spreadsheet would take for a formula gets a leading `'`, and so does a text that begins with `'`, so
    that `csv_rows` can take it off again. Numbers are left alone.

    >>> csv_text(["id", "f1", "answer"], [["a", -0.5, "=1+1"], ["b", None, "Paris"]])
    "id,f1,answer\na,-0.5,'=1+1\nb,,Paris\n"
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_guarded(value) for value in row] for row in rows)
    return out.getvalue()


def csv_rows(text: str) -> list[dict[str, str]]:
    r"""Read what `csv_text` wrote: one dict of texts per row.

    Raises:
        ValueError: When a row has not as many cells as the header, as after a torn write.

    >>> csv_rows("id,answer\na,'=1+1\nb,\n")
    [{'id': 'a', 'answer': '=1+1'}, {'id': 'b', 'answer': ''}]
    """
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"not a CSV table: {error}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} cells, the header has {len(rows[0])}")
    return [dict(zip(rows[0], map(_unguarded, row), strict=True)) for row in rows[1:]]


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA_STARTS) else cell


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


def _plain(value: Any) -> Any:
    """Return what JSON can hold in place of a NumPy scalar or a path."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
