"""A page that has no room for all predictions holds the worst errors and a sample, and says so."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from qaexp.reporting.numbers.outcomes import outcome_shares
from qaexp.reporting.numbers.prediction_table import read_predictions
from qaexp.reporting.numbers.quantities import confidence, threshold_curve
from qaexp.reporting.page import embedded as chosen
from qaexp.reporting.page.embedded import embedded
from qaexp.reporting.page.html import page
from qaexp.runs.readers.collect import RunFiles, read_run
from qaexp.storage.files import write_json_lines
from tests.fixtures.browser import Browser
from tests.fixtures.fake_run import build

NUM = 1500


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    return read_run(build(tmp_path_factory.mktemp("runs") / "one", num_examples=NUM))


def rows_in(text: str) -> list[list[Any]]:
    found = re.search(r'<script type="application/json" id="predictions">(.*?)</script>', text, re.DOTALL)
    assert found
    rows: list[list[Any]] = json.loads(found[1])["rows"]
    return rows


def test_a_page_that_has_room_holds_all(run: RunFiles) -> None:
    found = embedded(run, read_predictions(run).rows, run.contexts())
    assert (len(found.rows), found.num_worst) == (NUM, None)
    text = page(run, run.summary or {}, {})
    assert len(rows_in(text)) == NUM
    assert "in this page" not in text


@pytest.mark.parametrize("num_bytes", [60_000, 150_000])
def test_otherwise_it_holds_the_worst_and_a_sample(
    run: RunFiles, num_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "MAX_BYTES", num_bytes)
    table, contexts = read_predictions(run).rows, run.contexts()
    found = embedded(run, table, contexts)
    assert found.num_worst
    assert 0 < found.num_worst < len(found.rows) < NUM
    ids = [row["id"] for row in run.predictions().rows]
    assert [row["id"] for row in found.rows] == [id for id in ids if id in {row["id"] for row in found.rows}]
    worst = sorted((row for row in table if row["f1"] < 100), key=lambda row: row["f1"])[: found.num_worst]
    shown = {row["id"]: row for row in found.rows}
    assert sorted(row["f1"] for row in shown.values())[: found.num_worst] == [row["f1"] for row in worst]
    assert any(row["exact"] == 100 for row in shown.values())
    assert embedded(run, table, contexts).rows == found.rows
    text = page(run, run.summary or {}, {})
    data = re.search(r'id="predictions">(.*?)</script>', text, re.DOTALL)
    assert data
    assert num_bytes / 3 < len(data[1].encode()) <= num_bytes
    told = f"{len(found.rows):,} of {NUM:,} predictions are in this page: {found.num_worst:,} errors with the lowest f1"
    assert told in text
    assert "qaexp predictions RUN --where" in text
    assert f"of {NUM} answers)" in text


def test_one_that_is_too_large_leaves_room_for_the_others(run: RunFiles, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    rows = run.predictions().rows
    rows[0] |= {"question": "x" * 5_000_000, "f1": 0.0, "exact": 0.0}
    write_json_lines(copy / "predictions.jsonl", rows)
    found = read_run(copy)
    text = page(found, found.summary or {}, {})
    assert len(text.encode()) < 5_000_000
    assert len(rows_in(text)) == NUM - 1


def test_the_page_shows_no_mean_of_its_part(
    run: RunFiles, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "MAX_BYTES", 60_000)
    path = tmp_path / "report.html"
    path.write_text(page(run, run.summary or {}, {}), "utf-8")
    num = len(rows_in(path.read_text("utf-8")))

    def count() -> str:
        return str(browser.evaluate("document.getElementById('count').textContent"))

    browser.open(path)
    assert count() == f"{num} of {num} in this page"
    browser.evaluate(
        "(() => { const box = document.querySelector('[name=threshold]'); box.value = '-1';"
        " box.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    assert count() == f"{num} of {num} in this page · at null threshold -1"
    assert browser.evaluate("document.getElementById('answered').hidden")
    assert browser.complaints == []


def test_the_table_gives_the_numbers_of_the_records(run: RunFiles, tmp_path: Path) -> None:
    records, table = run.predictions().rows, read_predictions(run)
    assert threshold_curve(table.rows) == threshold_curve(records)
    assert outcome_shares(table.rows) == outcome_shares(records)
    assert [confidence(row) for row in table.rows] == [confidence(row) for row in records]
    assert "question" not in table.rows[0]
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    again = [*records, {**records[0], "f1": 12.5}]
    (copy / "predictions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in again) + '{"id": "to')
    found = read_predictions(read_run(copy))
    assert (len(found.rows), found.num_torn, found.rows[0]["f1"]) == (NUM, 1, 12.5)
