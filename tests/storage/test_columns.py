"""A table by columns is the list of its rows, and far smaller."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from qaexp.errors import IntegrityError
from qaexp.storage.columns import Columns
from qaexp.storage.formats import csv_text
from qaexp.storage.reading import read_columns, read_table

ROWS: list[dict[str, Any]] = [
    {"id": "a", "title": "t", "f1": 100.0, "n": 1},
    {"id": "b", "title": "t", "f1": -0.0, "n": None},
    {"id": "c", "title": "u", "f1": 0.0, "n": 3},
]


def table(rows: list[dict[str, Any]]) -> Columns:
    made = Columns(["id", "title", "f1", "n", "absent"], ["title"])
    for row in rows:
        made.append(row)
    return made


@pytest.mark.parametrize("rows", [ROWS, [], [*ROWS, {"id": "d"}], [{"f1": 2.5, "other": 1}]])
def test_it_is_the_list_of_its_rows(rows: list[dict[str, Any]]) -> None:
    expected = [{name: value for name, value in row.items() if name != "other"} for row in rows]
    made = table(rows)
    assert list(made) == expected == [made[place] for place in range(len(made))]
    assert repr(list(made)) == repr(expected)
    assert made == expected
    assert made[1:] == expected[1:]
    assert len(made) == len(expected)
    assert (made != [*expected, {}]) is True


def test_a_row_may_be_replaced() -> None:
    made = table(ROWS)
    made.replace(1, {"id": "z"})
    assert list(made) == [ROWS[0], {"id": "z"}, ROWS[2]]
    assert made.column("f1") == [100.0, None, 0.0]


def test_texts_that_repeat_are_held_once() -> None:
    made = table([{"title": "".join(["ti", "tle"]), "f1": float("100.0")} for _ in range(3)])
    assert len({id(row["title"]) for row in made}) == 1
    assert len({id(row["f1"]) for row in made}) == 1


def test_a_csv_file_is_read_as_the_table_that_it_is(tmp_path: Any) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(csv_text(ROWS))
    assert read_columns(path, ("id", "title"), ("title",)) == read_table(path, ("id", "title"))
    path.write_text("id,f1\na,1.0\nb\n")
    with pytest.raises(IntegrityError, match="row 3 has 1 cells, the header has 2"):
        read_columns(path, ("id",), ())
    path.write_text("")
    assert read_columns(path, ("id",), ()) == []


def test_it_takes_a_fraction_of_the_room() -> None:
    rows = [{"id": f"q{place}", "title": "t", "f1": 100.0, "n": place} for place in range(1000)]
    columns = table(rows)._columns.values()
    assert sum(map(sys.getsizeof, columns)) < sum(map(sys.getsizeof, rows)) / 4
