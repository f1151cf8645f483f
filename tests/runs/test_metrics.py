"""The table of numbers against a real run, and against the page that describes them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.metrics import EPOCHS, NUMBERS, SCORE_COLUMNS, number_of, shown_in
from tests import REPOSITORY
from tests.fixtures import tiny_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a test file."""
    folder = tmp_path_factory.mktemp("numbers")
    files = [tiny_run.write_squad(folder / f"{name}.json", 8, 4) for name in ("train", "dev", "test")]
    words = (*tiny_run.FILES, *tiny_run.files_of(*files[:2]), f"data.test_file={files[2]}", "trainer.epochs=1")
    return tiny_run.train(folder, "all", *words)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_summary_json_holds_the_numbers_of_the_table_and_no_other(run: Path) -> None:
    summary = tiny_run.read_json(run / "summary.json")
    names = [name for name in summary if not name.startswith("test_")]
    assert names == [*NUMBERS, "manifest_sha256"]
    assert [name for name in NUMBERS if summary[name] is None] == []


def test_history_csv_has_the_numbers_of_an_epoch(run: Path) -> None:
    (row,) = table(run / "history.csv")
    assert {name for name in row if not name.startswith("probe_")} - {"epoch", "step"} == {*shown_in(EPOCHS)}


@pytest.mark.parametrize(("file", "prefix"), [("scores.csv", ""), ("test_scores.csv", "test_")])
def test_a_number_with_a_column_is_its_mean(run: Path, file: str, prefix: str) -> None:
    rows, summary = table(run / file), tiny_run.read_json(run / "summary.json")
    tested = 0
    for name in NUMBERS:
        number = number_of(f"{prefix}{name}")
        if number.column in rows[0] and number.name in summary:
            assert number.table == file
            assert summary[number.name] == pytest.approx(mean(rows, number.column, number.questions), abs=1e-9), name
            tested += 1
    assert tested >= len(SCORE_COLUMNS)


def mean(rows: list[dict[str, str]], column: str, questions: str | None) -> float:
    kept = [row for row in rows if questions is None or (row["answer_words"] != "0") == (questions == "has_ans")]
    return sum(float(row[column]) for row in kept) / len(kept)


def test_each_column_of_scores_is_that_of_the_number_with_its_name() -> None:
    assert {name: number.name for name, number in SCORE_COLUMNS.items()} == {name: name for name in SCORE_COLUMNS}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_page_of_metrics_describes_each_number(name: str) -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text("utf-8")
    rows: Mapping[str, Any] = {line.split("|")[1]: line for line in page.splitlines() if line.startswith("|")}
    assert any(f"`{name}`" in cell for cell in rows)
