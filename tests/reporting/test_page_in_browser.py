"""report.html in a real browser: filter and search find what they should, and nothing complains or leaves the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from qaexp.commands.rescore import rescore
from qaexp.reporting.numbers.outcomes import outcome
from qaexp.reporting.page.explorer import explorer_data
from qaexp.reporting.page.html import page
from qaexp.reporting.reporter import Reporter
from qaexp.runs.readers.collect import read_run
from qaexp.storage.files import write_json_lines
from tests.fixtures.browser import Browser
from tests.fixtures.tiny_run import DEMO, train

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
    # From the search box over five selects, the button, and the threshold with its slider and buttons to the first row.
    for _ in range(11):
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


def focused(browser: Browser) -> str:
    """The question of the row that has the focus, else the name of the element."""
    return str(
        browser.evaluate(
            "(document.activeElement.querySelector('.asked') || {}).textContent || document.activeElement.name"
        )
    )


def pause(browser: Browser, milliseconds: int = 50) -> None:
    browser.evaluate(f"new Promise((done) => setTimeout(done, {milliseconds}))")


def test_slash_searches_and_arrows_walk_through_the_rows(opened: Browser, report: Path) -> None:
    questions = [row["question"] for row in rows_of(report)]
    opened.press("/", 191, "/")
    assert focused(opened) == "search"
    opened.press("/", 191, "/")
    assert opened.evaluate("document.activeElement.value") == "/"
    search(opened, "")
    opened.press("ArrowDown", 40)
    assert focused(opened) == questions[0]
    assert opened.evaluate("document.activeElement.matches(':focus-visible')")
    for _ in range(2):
        opened.press("ArrowDown", 40)
    opened.press("ArrowUp", 38)
    assert focused(opened) == questions[1]
    opened.press("ArrowRight", 39)
    assert opened.evaluate("document.activeElement.parentElement.open")
    opened.press("ArrowLeft", 37)
    assert not opened.evaluate("document.activeElement.parentElement.open")
    opened.evaluate("document.querySelector('.hit:last-child summary').focus()")
    opened.press("ArrowDown", 40)
    assert focused(opened) == questions[50]
    opened.press("ArrowUp", 38)
    assert focused(opened) == questions[49]
    opened.evaluate("document.querySelector('.hit summary').focus()")
    opened.press("ArrowUp", 38)
    assert focused(opened) == "search"


def test_a_link_brings_the_view_back(opened: Browser, report: Path) -> None:
    choose(opened, "kind", "has_ans")
    choose(opened, "order", "closest to the threshold first")
    search(opened, "<b>&what #%")
    opened.evaluate("document.querySelector('[name=search]').value = 'q0'")
    set_threshold(opened, "-0.25")
    opened.evaluate("document.getElementById('next').click()")
    pause(opened, 450)
    expected, view = (count(opened), shown(opened)), opened.evaluate("location.hash")
    assert view == "#explore?search=q0&kind=has_ans&order=closest+to+the+threshold+first&threshold=-0.25&page=2"
    opened.evaluate("document.querySelector('[type=reset]').click()")
    pause(opened, 450)
    assert opened.evaluate("location.hash") == ""
    opened.evaluate(f"location.hash = {json.dumps(view)}")
    pause(opened)
    assert (count(opened), shown(opened)) == expected
    assert opened.evaluate("document.querySelector('[name=threshold]').value") == "-0.25"
    opened.evaluate("location.hash = '#explore?search=%3Cimg+src%3Dx%3E&outcome=none+such&threshold=x&page=99'")
    pause(opened)
    assert opened.evaluate("document.querySelector('[name=search]').value") == "<img src=x>"
    assert count(opened).startswith("0 of 201") or "example.org" in shown(opened)[0]
    assert opened.evaluate("document.querySelectorAll('#explorer img').length") == 0


def test_a_link_opens_in_a_fresh_page(browser: Browser, report: Path) -> None:
    kept = [row["question"] for row in rows_of(report) if outcome(row) == "missed answer"]
    browser.open(report)
    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=f"{report.as_uri()}#explore?outcome=missed+answer")
    pause(browser, 300)
    assert kept
    assert shown(browser) == kept[:50]
    assert browser.complaints == []


def set_threshold(browser: Browser, value: str) -> None:
    browser.evaluate(
        f"""(() => {{
          const box = document.querySelector('[name=threshold]');
          box.value = {json.dumps(value)};
          box.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()"""
    )


def test_only_what_is_wrong_is_coloured(opened: Browser) -> None:
    colours = opened.evaluate(
        """[...document.querySelectorAll('.hit')].map((box) => {
          const style = getComputedStyle(box.querySelector('.answers > span'));
          return [box.querySelector('.score').textContent === 'f1 100.0', style.color, Number(style.fontWeight)];
        })"""
    )
    ink = opened.evaluate("getComputedStyle(document.body).color")
    right = [colour for is_right, *colour in colours if is_right]
    wrong = [colour for is_right, *colour in colours if not is_right]
    assert right == [[ink, 400]] * len(right)
    assert wrong
    assert all(colour != ink for colour, _ in wrong)


def test_the_slider_moves_the_threshold_by_keys_too(opened: Browser) -> None:
    opened.evaluate("document.querySelector('[name=slider]').focus()")
    before = count(opened)
    for _ in range(20):
        opened.press("ArrowRight", 39)
    value = float(opened.evaluate("document.querySelector('[name=threshold]').value"))
    assert value > 0
    assert f"at null threshold {value:g}" in count(opened)
    assert count(opened) != before
    opened.evaluate("document.getElementById('default').click()")
    assert count(opened) == before


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was trained for real, with its logits and its page."""
    directory = train(tmp_path_factory.mktemp("trained"), "run", *DEMO, "trainer.epochs=1")
    Reporter(plots=False, html=True).report(directory)
    return directory


def test_scores_at_every_threshold_are_those_of_rescore(browser: Browser, trained: Path) -> None:
    rows = read_run(trained).predictions().rows
    diffs = sorted(row["null_score_diff"] for row in rows)
    tuned = (read_run(trained).summary or {})["null_threshold"]
    browser.open(trained / "report.html")
    seen = set()
    for threshold in (diffs[0] - 1, diffs[0], diffs[len(diffs) // 2], diffs[-1], diffs[-1] + 1, tuned, 0.0):
        set_threshold(browser, repr(threshold))
        metrics = rescore(trained, null_threshold=threshold)
        told = count(browser)
        assert told.startswith(f"16 of 16 · exact {metrics['exact']:.1f} · f1 {metrics['f1']:.1f}")
        answered = sum(row["null_score_diff"] <= threshold for row in rows)
        assert browser.evaluate("document.getElementById('answered').textContent") == f"{answered} answered"
        empty = browser.evaluate("[...document.querySelectorAll('.answers > span:first-child.none')].length")
        assert empty == len(rows) - answered
        choose(browser, "kind", "has_ans")
        assert f"exact {metrics['has_ans_exact']:.1f} · f1 {metrics['has_ans_f1']:.1f}" in count(browser)
        choose(browser, "kind", "all")
        seen.add(told)
    assert len(seen) > 2
    assert browser.complaints == []


def test_a_run_that_must_answer_has_no_slider(browser: Browser, report: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(report.parent, tmp_path / "run"))
    config = json.loads((directory / "config.json").read_text())
    config["decoding"]["allow_no_answer"] = False
    (directory / "config.json").write_text(json.dumps(config))
    Reporter(plots=False, html=True).report(directory)
    browser.open(directory / "report.html")
    assert browser.evaluate("document.getElementById('threshold').hidden")
    assert count(browser).startswith("201 of 201")
    assert browser.complaints == []


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
          const tries = [1, 2, 3, 4, 5].map(() => {
            const begin = performance.now();
            box.value = 'q0007';
            box.dispatchEvent(new Event('input', { bubbles: true }));
            return performance.now() - begin;
          });
          return Math.min(...tries);
        })()"""
    )
    assert count(browser).startswith("60 of 12,000")
    # About 10 ms where nothing else runs.
    assert milliseconds < 1000


def test_the_scores_and_every_picture_are_whole_on_a_phone(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=True)
    browser.open(report)
    table = "document.querySelector('.scores .wide')"
    assert browser.evaluate(f"{table}.scrollWidth <= {table}.clientWidth + 1")
    pictures = "[...document.querySelectorAll('.pictures figure')]"
    assert browser.evaluate(f"{pictures}.every((one) => one.scrollWidth <= one.clientWidth + 1)")
    browser.evaluate("document.querySelector('.pictures img').click()")
    assert browser.evaluate(f"{pictures}[0].scrollWidth > {pictures}[0].clientWidth + 100")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 400
    browser.call("Emulation.clearDeviceMetricsOverride")
