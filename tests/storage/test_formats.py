"""CSV and JSON lines come back as they were, and nothing that is printed steers a terminal or a spreadsheet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.storage.formats import csv_rows, csv_text, json_line, visible

TEXTS = st.text(st.characters(codec="utf-8"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_csv_round_trip(pairs: list[tuple[str, str]]) -> None:
    rows = [{"id": one, "answer": other} for one, other in pairs]
    assert csv_rows(csv_text(rows)) == rows


@pytest.mark.parametrize("text", ["=cmd", "+1", "-1", "@x", "\tx", "\rx", "'=x"])
def test_no_cell_begins_as_a_formula(text: str) -> None:
    cell = csv_text([{"a": text}]).split("\n", 1)[1].lstrip('"')
    assert cell.startswith("'")


def test_negative_numbers_stay_numbers() -> None:
    assert csv_text([{"a": -1.5, "b": np.float32(-2)}]) == "a,b\n-1.5,-2.0\n"


def test_rows_with_other_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="keys"):
        csv_text([{"a": 1}, {"b": 2}])


@pytest.mark.parametrize("torn", ["a,b\n1,2\n3", "a,b\n1,2\n3,4,5\n"])
def test_torn_table_is_refused(torn: str) -> None:
    with pytest.raises(ValueError, match="row 3"):
        csv_rows(torn)


def test_numpy_scalars_are_plain_json() -> None:
    assert json_line({"a": np.float32(0.5), "b": np.int64(3)}) == '{"a": 0.5, "b": 3}\n'


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\u202eabc", "\x00", "\x9b31m", "\r", "\u200b", "\ud800"])
def test_control_characters_are_shown(text: str) -> None:
    assert visible(text).isprintable()


@pytest.mark.parametrize("text", ["Zürich 東京 🙂", "two\nlines\tand a tab", "non\u00a0breaking"])
def test_text_is_left_alone(text: str) -> None:
    assert visible(text) == text
