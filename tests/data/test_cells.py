"""Cells of tables: whatever stands in one, it is read, or stays the text that it is."""

from __future__ import annotations

import random
import warnings

import pytest

from qaexp.data.files.cells import answers_of_columns, read_cell, read_cells

NAMES = {name: name for name in ("id", "answers", "answer_text", "answer_start", "is_impossible", "title")}
PARTS = (
    *"[]{}(),:-+~ \n\x00", "'a'", '"b"', "1", "0.5", "0x" + "f" * 5000, "9" * 5000, "1e999", "1j", "b'x'", "...",
    "True", "None", "nan", "NaN", "-Infinity", "array(", "dtype=int", "'\\d'", "'\\ud800'", "'\\x'", "'text'", "lambda",
    "f'{x}'", "**", "1if 1 else 2",
)  # fmt: skip


@pytest.mark.parametrize("text", ["[-'a']", "[-True]", "[-None]", "[-b'a']", "[-1j]", f"[0x{'f' * 5000}]", "[...]"])
def test_what_is_no_literal_of_a_table_stays_text(text: str) -> None:
    assert read_cell(text) == text


def test_numbers_keep_their_sign() -> None:
    assert read_cell("[-1, -0.5, (True, 'a', nan)]") == [-1, -0.5, [True, "a", None]]


def test_no_warning_about_programs_is_shown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_cell("['a\\d']") == ["a\\d"]


def test_no_cell_raises() -> None:
    dice = random.Random(7)
    for _ in range(4000):
        text = "".join(dice.choice(PARTS) for _ in range(dice.randrange(8)))
        cell = dice.choice("[{") + text + dice.choice(["]", "}", ""])
        row = read_cells({"id": "1", **dict.fromkeys(("answers", "answer_text", "answer_start"), cell)}, NAMES)
        answers_of_columns(row)
        repr(row)
