"""report.html in a real browser: filter and search find what they should, and nothing complains or leaves the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from qaexp.reporting.explorer import explorer_data
from qaexp.reporting.html import page
from qaexp.reporting.outcomes import outcome
from qaexp.reporting.reporter import Reporter
from qaexp.runs.collect import read_run
from qaexp.runs.files import write_json_lines
from tests.fixtures.browser import Browser

HOSTILE = "</script><script>alert(1)</script><img src=https://example.org/x onerror=alert(1)>\u2028\u202e'\"&lt;"


@pytest.fixture(scope="module")
def report(fake_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a run, one of whose predictions is hostile."""
    directory = Path(shutil.copytree(fake_run, tmp_path_factory.mktemp("page") / "run"))
    rows = read_run(directory).predictions().rows
    span = {"text": HOSTILE, "score": 1.0, "start_char": 0, "end_char": 3}
    hostile = {"id": HOSTILE, "title": HOSTILE, "question": HOSTILE, "golds": [HOSTILE], "prediction_text": HOSTILE}
    rows.append({**rows[0], **hostile, "exact": 0.0, "f1": 0.0, "n_best": [span]})
    write_json_lines(directory / "predictions.jsonl", rows)
    return Reporter(plots=True, html=True).report(directory)[-1]


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Browser]:
    """Return the browser with the page; afterwards nothing was asked for, and nothing went wrong."""
    browser.open(report)
    yield browser
    assert browser.requests == [report.as_uri()]
    assert browser.complaints == []


def rows_of(report: Path) -> list[dict[str, Any]]:
    return read_run(report.parent).predictions().rows


def choose(browser: Browser, name: str, text: str) -> None:
    """Choose an option as a user does, by its text."""
    browser.evaluate(
        f"""(() => {{
          const select = document.querySelector('select[name={name}]');
          select.value = [...select.options].find((option) => option.text === {json.dumps(text)}).value;
          select.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()"""
    )


def search(browser: Browser, text: str) -> None:
    browser.evaluate("(() => { const box = document.querySelector('[name=search]'); box.focus(); box.select(); })()")
    browser.type(text)


def count(browser: Browser) -> str:
    return str(browser.evaluate("document.getElementById('count').textContent"))


def shown(browser: Browser) -> list[str]:
    found: list[str] = browser.evaluate("[...document.querySelectorAll('.hit .asked')].map((e) => e.textContent)")
    return found


def test_all_rows_are_there_a_page_at_a_time(opened: Browser, report: Path) -> None:
    rows = rows_of(report)
    exact, f1 = (f"{fmean(row[name] for row in rows):.1f}" for name in ("exact", "f1"))
    assert count(opened) == f"{len(rows)} of {len(rows)} · exact {exact} · f1 {f1}"
    assert shown(opened) == [row["question"] for row in rows[:50]]
    for _ in range(4):
        opened.evaluate("document.getElementById('next').click()")
    assert opened.evaluate("document.getElementById('page').textContent") == "page 5 of 5"
    assert opened.evaluate("document.getElementById('next').disabled")
    assert len(shown(opened)) == len(rows) - 200


def test_filters_keep_what_python_keeps_and_name_its_scores(opened: Browser, report: Path) -> None:
    words = {row["id"]: row["question_word"] for row in read_run(report.parent).scores()}
    kept = [
        row
        for row in rows_of(report)
        if outcome(row) == "answered though unanswerable" and words.get(row["id"]) == "what" and not row["golds"]
    ]
    choose(opened, "outcome", "answered though unanswerable")
    choose(opened, "word", "what")
    choose(opened, "kind", "no_ans")
    choose(opened, "right", "wrong")
    assert kept
    assert shown(opened) == [row["question"] for row in kept]
    assert count(opened) == f"{len(kept)} of 201 · exact 0.0 · f1 0.0"
    choose(opened, "right", "right")
    assert count(opened) == "0 of 201"


@pytest.mark.parametrize("field", ["question", "prediction_text", "golds", "title", "id"])
def test_search_finds_every_field(opened: Browser, report: Path, field: str) -> None:
    rows = rows_of(report)
    given = next(row for row in rows if row["golds"] and row["prediction_text"])
    text = given[field][0] if field == "golds" else given[field]
    search(opened, text.upper())
    words = text.lower().split()
    kept = [row for row in rows if all(word in haystack(row) for word in words)]
    assert given in kept
    assert count(opened).startswith(f"{len(kept)} of {len(rows)}")
    assert shown(opened) == [row["question"] for row in kept[:50]]


def haystack(row: Mapping[str, Any]) -> str:
    texts = [row["question"], row["prediction_text"], *row["golds"], row["title"], row["id"]]
    return "\n".join(texts).lower()


def test_order_brings_the_worst_to_the_top_and_reset_brings_all_back(opened: Browser, report: Path) -> None:
    choose(opened, "order", "worst first")
    scores = opened.evaluate("[...document.querySelectorAll('.hit .score')].map((e) => Number(e.textContent.slice(3)))")
    assert scores == sorted(scores)
    search(opened, "no such text anywhere")
    assert count(opened) == "0 of 201"
    opened.evaluate("document.querySelector('[type=reset]').click()")
    opened.evaluate("new Promise((done) => setTimeout(done, 20))")
    assert shown(opened)[0] == rows_of(report)[0]["question"]


def test_a_row_opens_by_keyboard_with_its_context_and_n_best(opened: Browser, report: Path) -> None:
    row = next(row for row in rows_of(report) if outcome(row) == "right span")
    search(opened, row["id"])
    # From the search box over five selects and the button to the first row.
    for _ in range(7):
        opened.press("Tab", 9)
    assert opened.evaluate("document.activeElement.tagName") == "SUMMARY"
    opened.press("Enter", 13, "\r")
    opened.evaluate("new Promise((done) => setTimeout(done, 50))")
    marked = opened.evaluate("document.querySelector('.hit[open] .context mark').textContent")
    assert marked == row["n_best"][0]["text"]
    assert opened.evaluate("document.querySelector('.hit[open] .context u').textContent") == row["golds"][0]
    context = read_run(report.parent).contexts()[row["paragraph"]]
    assert opened.evaluate("document.querySelector('.hit[open] .context').textContent") == context
    best = opened.evaluate("[...document.querySelectorAll('.hit[open] td.text')].map((e) => e.textContent)")
    assert sorted(best) == sorted([span["text"] for span in row["n_best"]] + ["(no answer)"])


def test_hostile_text_stays_text(opened: Browser, report: Path) -> None:
    search(opened, "example.org")
    assert shown(opened) == [HOSTILE.replace("\u202e", "\\u202e")]
    opened.evaluate("document.querySelector('.hit').open = true")
    opened.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert opened.evaluate("document.querySelectorAll('#explorer script, #explorer img').length") == 0
    assert opened.evaluate("document.scripts.length") == 2


def test_policy_stops_a_script_and_a_request_that_got_in(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.evaluate(
        """(() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          document.body.append(script);
          document.body.append(Object.assign(new Image(), { src: 'https://example.org/x.png' }));
        })()"""
    )
    assert browser.evaluate("fetch('https://example.org').then(() => 'sent', () => 'stopped')") == "stopped"
    assert browser.evaluate("window.ran") is None
    assert browser.complaints


@pytest.mark.parametrize("width", [360, 700, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_its_window(browser: Browser, report: Path, width: int, scheme: str) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(report)
    search(browser, "example.org")
    browser.evaluate("document.querySelectorAll('details').forEach((box) => { box.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_without_javascript_only_the_explorer_is_missing(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    text = browser.evaluate("document.body.innerText")
    for part in ("Scores", "Worst errors", "Filter and search need JavaScript", "keys"):
        assert part in text
    assert browser.evaluate("document.getElementById('explorer').hidden")
    assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")


def test_twelve_thousand_predictions_stay_small_and_fast(browser: Browser, fake_run: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(fake_run, tmp_path / "run"))
    rows = read_run(directory).predictions().rows
    many = [{**row, "id": f"{row['id']}-{copy}"} for copy in range(60) for row in rows]
    write_json_lines(directory / "predictions.jsonl", many)
    run = read_run(directory)
    assert len(explorer_data(many, [], run.contexts())["contexts"]) == 200
    path = directory / "report.html"
    path.write_text(page(run, run.summary or {}, {}), "utf-8")
    assert path.stat().st_size < 6 * 2**20
    browser.open(path)
    milliseconds = browser.evaluate(
        """(() => {
          const box = document.querySelector('[name=search]');
          const begin = performance.now();
          box.value = 'q0007';
          box.dispatchEvent(new Event('input', { bubbles: true }));
          return performance.now() - begin;
        })()"""
    )
    assert count(browser).startswith("60 of 12,000")
    # About 10 ms where nothing else runs.
    assert milliseconds < 1000
