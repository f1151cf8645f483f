"""The board in a real browser: what it shows, what its address keeps, and a sweep that lives while a job is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.owners import this_process, utc_now
from tests.board.conftest import SMALL
from tests.faults.test_sweeps import start, wait_until
from tests.fixtures import fake_run, tiny_run
from tests.fixtures.boarded import Boarded, change, digest
from tests.fixtures.browser import Browser
from tests.fixtures.served import at_port

Make = Callable[..., Boarded]
SIZES = {"wide": (1400, 900), "narrow": (400, 800)}
HOSTILE = "<img src=x onerror=alert(1)>"
OURS = ("/", "/board.css", "/board.js", "/curves.js", "/echarts.js", "/icon.svg", "/api/runs", "/api/curves")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Runs in several states, one of them at work, and names that want to be markup."""
    outputs = tmp_path / "outputs"
    for name in ("alpha", "beta", "gamma", "delta", HOSTILE):
        fake_run.build(outputs / name, name=name, collapsed=name == "beta", **SMALL)
    change(outputs / "gamma", state="failed", error={"kind": "data", "message": f"{HOSTILE} is no file"})
    now = utc_now().isoformat(timespec="seconds")
    change(outputs / "delta", state="running", stage="training", heartbeat=now, total_steps=12, **this_process())
    return outputs


@pytest.fixture
def opened(browser: Browser, work: Path, make_board: Make) -> Iterator[Browser]:
    """The browser with the board; afterwards it has asked nobody but the server, and nothing went wrong."""
    with at_port(make_board(work)) as url:
        show(browser, url)
        yield browser
        asked = {address.removeprefix(url).partition("?")[0] for address in browser.requests}
        assert asked <= set(OURS)
        assert browser.complaints == []
        browser.call("Emulation.clearDeviceMetricsOverride")
        browser.open("about:blank")


def show(browser: Browser, url: str, query: str = "") -> None:
    browser.open(f"{url}/{query}")
    until(browser, "document.getElementById('live').textContent === 'live'")


def until(browser: Browser, condition: str) -> None:
    end = time.monotonic() + 120
    while not browser.evaluate(condition):
        assert time.monotonic() < end, (condition, browser.evaluate("document.body.innerText"), browser.complaints)
        time.sleep(0.02)


def asked_again(browser: Browser, condition: str) -> None:
    """Wait for a condition; the page asks as soon as it may, as when somebody comes back to it."""
    again = "document.dispatchEvent(new Event('visibilitychange'))"
    until(browser, f"({condition}) || ({again}, false)")


def names(browser: Browser) -> list[str]:
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('#rows tr.run .c-name')].map((one) => one.firstChild.textContent)"
    )
    return found


def cell(name: str, column: str) -> str:
    """An expression: the text of a cell in the row of a run."""
    return (
        f"[...document.querySelectorAll('#rows tr.run')].find((row) => row.querySelector('.c-name').textContent"
        f".includes({json.dumps(name)}))?.querySelector('.c-{column}').textContent"
    )


def click(browser: Browser, selector: str) -> None:
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).click()")


def search(browser: Browser) -> dict[str, str]:
    found: dict[str, str] = browser.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    return found


def test_runs_states_flags_and_curves(opened: Browser) -> None:
    assert names(opened) == [HOSTILE, "alpha", "beta", "delta", "gamma"]
    count = "3 of 5 completed, 1 running, 1 failed"
    assert opened.evaluate("document.getElementById('count').textContent") == count
    assert opened.evaluate(cell("delta", "state")) == "running training"
    assert opened.evaluate(cell("delta", "step")) == "6/12"
    assert "last sign of life" in opened.evaluate(cell("delta", "note"))
    assert opened.evaluate(cell("beta", "flags")) == "null collapse"
    assert HOSTILE in opened.evaluate(cell("gamma", "note"))
    assert opened.evaluate("document.querySelectorAll('img, #rows script').length") == 0
    until(opened, "document.getElementById('loss').dataset.points === '6'")
    assert opened.evaluate("document.getElementById('f1').dataset.points") == "2"
    assert opened.evaluate("document.querySelectorAll('#loss canvas').length") > 0


def test_filter_sort_and_selection_are_in_the_address(opened: Browser) -> None:
    url = opened.evaluate("location.origin")
    opened.evaluate("document.getElementById('filter').focus()")
    opened.type("completed -beta")
    assert names(opened) == [HOSTILE, "alpha"]
    click(opened, "th[data-key=f1] button")
    click(opened, "#flat")
    click(opened, "tr.run input")
    click(opened, "tr.run:last-of-type input")
    kept = search(opened)
    assert {"filter", "sort", "desc", "flat", "pick"} <= set(kept)
    assert (kept["filter"], kept["sort"], kept["desc"]) == ("completed -beta", "f1", "1")
    shown = names(opened)
    show(opened, url, opened.evaluate("location.search"))
    assert names(opened) == shown
    assert search(opened) == kept
    assert opened.evaluate("document.getElementById('filter').value") == "completed -beta"
    assert opened.evaluate("document.querySelectorAll('#rows input:checked').length") == 2
    assert opened.evaluate("document.querySelector('[aria-sort]').dataset.key") == "f1"
    compare = opened.evaluate("document.getElementById('compare').getAttribute('href')")
    assert compare == "/compare?" + "&".join(f"run={name}" for name in kept["pick"].split(","))
    click(opened, "#clear")
    assert opened.evaluate("document.getElementById('picked').hidden")
    assert "pick" not in search(opened)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("f1>0 f1<=100 state", []),
        ("step>=7", []),
        ("epoch=2 alpha", ["alpha"]),
        ("flags:null", ["beta"]),
        ("RUNNING", ["delta"]),
        ("<img -gamma", [HOSTILE]),
        (".*", []),
    ],
)
def test_what_the_filter_understands(opened: Browser, words: str, found: list[str]) -> None:
    opened.evaluate("document.getElementById('filter').focus()")
    opened.type(words)
    assert names(opened) == found
    assert opened.evaluate("document.querySelectorAll('#rows td.empty').length") == (0 if found else 1)


def test_states_are_buttons_and_keys_reach_everything(opened: Browser) -> None:
    click(opened, "[data-state=failed]")
    assert names(opened) == ["gamma"]
    assert opened.evaluate("document.querySelector('[data-state=failed]').getAttribute('aria-pressed')") == "true"
    assert search(opened) == {"state": "failed"}
    opened.evaluate("document.getElementById('filter').focus()")
    order = []
    for _ in range(18):
        opened.press("Tab", 9)
        order.append(
            opened.evaluate(
                "(one => one.dataset.state || one.parentElement.dataset.key || one.type || one.tagName)"
                "(document.activeElement)"
            )
        )
        assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if order[-1] == "A":
            break
    states = ["running", "failed", "completed"]
    columns = ["name", "state", "step", "epoch", "loss", "f1", "flags", "note"]
    assert order == [*states, "checkbox", *columns, "button", "checkbox", "A"]
    roles = "[...document.querySelectorAll('#table, #table tr, #table td, #table th')].map((one) => one.role)"
    assert None not in opened.evaluate(roles)


def test_rows_that_change_keep_the_focus_and_those_that_vanish_go(opened: Browser, work: Path) -> None:
    opened.evaluate("[...document.querySelectorAll('#rows a')].find((one) => one.textContent === 'alpha').focus()")
    change(work / "alpha", state="failed", error={"kind": "data", "message": "gone wrong"})
    shutil.rmtree(work / "beta")
    asked_again(opened, f"{cell('alpha', 'state')} === 'failed'")
    assert opened.evaluate("document.activeElement.textContent") == "alpha"
    asked_again(opened, f"{cell('beta', 'state')} === undefined")
    work.rename(work.with_name("away"))
    asked_again(opened, "document.querySelectorAll('#rows tr.run').length === 0")
    asked_again(opened, "document.getElementById('left-out').textContent.includes('is gone')")


def test_many_runs_are_folded_and_paged(browser: Browser, tmp_path: Path, make_board: Make) -> None:
    first = fake_run.build(tmp_path / "first", **SMALL)
    for sweep, number in (("s", 150), ("t", 120)):
        for place in range(number):
            run = tmp_path / "multirun_outputs" / sweep / f"seed={place}-{place:08x}"
            run.mkdir(parents=True)
            for name in ("run.json", "config.json", "summary.json", "MANIFEST.json", "metrics.jsonl", "history.csv"):
                shutil.copyfile(first / name, run / name)
        (tmp_path / "multirun_outputs" / sweep / "sweep.json").write_text("{}")
    board = make_board(tmp_path / "multirun_outputs")
    with at_port(board) as url:
        show(browser, url)
        assert browser.evaluate("document.querySelectorAll('#rows tr').length") == 2
        assert "150 of 150 completed" in browser.evaluate("document.querySelector('tr.folder').textContent")
        click(browser, "tr.folder button")
        assert browser.evaluate("document.querySelectorAll('#rows tr').length") == 100
        assert browser.evaluate("document.getElementById('page').textContent") == "Page 1 of 2"
        assert browser.evaluate("document.activeElement.tagName") in ("BODY", "BUTTON")
        click(browser, "#next")
        assert browser.evaluate("document.querySelectorAll('#rows tr').length") == 52
        show(browser, url, browser.evaluate("location.search"))
        assert browser.evaluate("document.querySelectorAll('#rows tr').length") == 52
        browser.open("about:blank")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_or_hard_to_read(opened: Browser, work: Path, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    fake_run.build(work / ("x" * 200), **SMALL)
    opened.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    opened.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    asked_again(opened, "document.querySelectorAll('#rows tr.run').length === 6")
    click(opened, "tr.run input")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    # Contrast of text as WCAG computes it; 4.5 is its AA.
    low = opened.evaluate("""(() => {
      const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
      const light = (colour) => { const [r, g, b] = parts(colour).slice(0, 3).map((c) => c / 255).map(
        (c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
      const behind = (node) => { for (let at = node; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if ((parts(colour)[3] ?? 1) === 1) return colour; } };
      return [...document.querySelectorAll('h1, h2, p, a, button, input, td, th, caption, .flag, .state, li, summary')]
        .filter((node) => node.textContent.trim() && node.offsetParent).map((node) => {
          const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
          return [node.id || node.className || node.tagName,
            (Math.max(one, other) + .05) / (Math.min(one, other) + .05)]; }).filter(([, ratio]) => ratio < 4.5);
    })()""")
    assert low == []
    opened.call("Emulation.setEmulatedMedia", features=[])


def test_a_server_that_is_gone_is_told(browser: Browser, work: Path, make_board: Make) -> None:
    with at_port(make_board(work)) as url:
        show(browser, url)
    asked_again(browser, "document.getElementById('live').textContent === 'no server'")
    said = browser.evaluate("document.getElementById('error').textContent")
    assert said == "The server is not there: is qaexp board still running?"
    browser.open("about:blank")


def test_a_page_nobody_looks_at_asks_for_nothing(opened: Browser) -> None:
    def num_asked() -> int:
        # What was sent has been noted by the time a value comes.
        opened.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        opened.evaluate("document.hidden")
        return sum("/api/runs" in address for address in opened.requests)

    hide = "Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {} }})"
    opened.evaluate(hide.format("true"))
    asked = num_asked()
    assert [num_asked() for _ in range(3)] == [asked] * 3
    opened.evaluate(hide.format("false"))
    wait_until(lambda: num_asked() > asked)


def test_the_pages_of_runs_and_of_comparisons_open(browser: Browser, work: Path, make_board: Make) -> None:
    with at_port(make_board(work)) as url:
        show(browser, url)
        link = "[...document.querySelectorAll('#rows a')].find((one) => one.textContent === 'alpha')"
        target = browser.evaluate(f"{link}.href")
        assert browser.evaluate(f"{link}.target") == "_blank"
        for name in ("alpha", HOSTILE):
            browser.evaluate(
                f"[...document.querySelectorAll('#rows tr.run')].find((row) => row.querySelector('a')?.textContent === "
                f"{json.dumps(name)}).querySelector('input').click()"
            )
        comparison = browser.evaluate("document.getElementById('compare').href")
        browser.open(target)
        assert browser.complaints == []
        assert "alpha" in browser.evaluate("document.body.innerText")
        # A page of no origin can ask nobody, whatever came to stand in it.
        assert browser.evaluate("window.origin") == "null"
        browser.open(comparison)
        until(browser, "document.querySelectorAll('canvas').length > 0")
        assert browser.complaints == []
        browser.open("about:blank")


WORDS = (*tiny_run.MODEL, "data.train_size=24", "data.dev_size=8", "threads=1", "hydra.launcher.jobs=1")


@pytest.mark.thorough
def test_a_sweep_lives_on_the_board_while_a_job_is_killed(browser: Browser, tmp_path: Path, make_board: Make) -> None:
    # The first job would run for an hour; the second one is over at once.
    process = start(tmp_path, "s", *WORDS, "trainer.epochs=20000,1")
    sweep = tmp_path / "multirun_outputs" / "s"
    try:
        wait_until(lambda: any(sweep.glob("*epochs=20000*/metrics.jsonl")))
        with at_port(make_board(tmp_path / "multirun_outputs")) as url:
            show(browser, url)
            long, short = "epochs=20000", "epochs=1-"
            asked_again(browser, f"{cell(long, 'state')}?.startsWith('running')")
            assert browser.evaluate(cell(short, "state")) == "planned"
            assert "1 running, 1 not started" in browser.evaluate("document.querySelector('tr.folder').textContent")
            points = "Number(document.getElementById('loss').dataset.points)"
            asked_again(browser, f"{points} > 0")
            before = browser.evaluate(points)
            asked_again(browser, f"{points} > {before}")
            os.kill(pid_of(sweep), signal.SIGKILL)
            asked_again(browser, f"{cell(long, 'state')} === 'failed'")
            asked_again(browser, f"{cell(short, 'state')} === 'completed'")
            asked_again(browser, f"{cell(long, 'note')}.includes('SIGKILL')")
            assert process.wait(300) == 10
            finished = digest(sweep)
            tally = "document.querySelector('tr.folder .tally').textContent"
            asked_again(browser, f"{tally} === '1 of 2 completed, 1 failed'")
            assert digest(sweep) == finished
            assert browser.complaints == []
            browser.open("about:blank")
    finally:
        process.kill()
        process.communicate()


def pid_of(sweep: Path) -> int:
    (run,) = sweep.glob("*epochs=20000*")
    record: dict[str, Any] = tiny_run.read_json(run / "run.json")
    return int(record["pid"])
