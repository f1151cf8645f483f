"""The report in a real browser: it sorts, filters and searches, is drawn in every look, and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.shown.report import write_report
from tests.fixtures.browser import Browser
from tests.fixtures.markup import write_markup


@pytest.fixture(scope="module")
def report(grid: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(compare([grid], options), tmp_path_factory.mktemp("browser") / "report.html")[0]


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Browser]:
    """Return the browser with the page; afterwards nothing was asked for, and nothing went wrong."""
    browser.open(report)
    yield browser
    assert browser.requests == [report.as_uri()]
    assert browser.complaints == []


def first_cells(browser: Browser, column: int) -> list[str]:
    found: list[str] = browser.evaluate(
        f"[...document.querySelector('.sortable').tBodies[0].rows].map((row) => row.cells[{column}].textContent.trim())"
    )
    return found


def test_figures_are_drawn(opened: Browser) -> None:
    shown = opened.evaluate(
        "[...document.querySelectorAll('figure.chart:not([hidden])')].map((one) => one.id.slice(7))"
    )
    assert shown == ["intervals", "contrasts", "curves", "losses", "effects", "slices"]
    blank = opened.evaluate(
        """[...document.querySelectorAll('figure.chart:not([hidden]) canvas')].filter((canvas) => {
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return new Set(new Uint32Array(pixels.buffer)).size < 3;
        }).length"""
    )
    assert blank == 0
    assert opened.evaluate("document.getElementById('figure-learning').hidden")


def test_leaderboard_sorts_by_every_column_and_back(opened: Browser) -> None:
    before = first_cells(opened, 1)
    opened.evaluate("document.querySelectorAll('.sortable th button')[3].click()")
    means = [float(cell.split()[0]) for cell in first_cells(opened, 3)]
    assert means == sorted(means)
    opened.evaluate("document.querySelectorAll('.sortable th button')[3].click()")
    assert first_cells(opened, 1) == before
    assert opened.evaluate("document.querySelectorAll('.sortable th')[3].getAttribute('aria-sort')") == "descending"


def count(browser: Browser) -> list[int]:
    text = str(browser.evaluate("document.getElementById('count').textContent"))
    return [int(word.replace(",", "")) for word in text.split(" of ")]


def test_flips_are_filtered_searched_and_opened_by_keyboard(opened: Browser) -> None:
    everything = count(opened)
    assert everything[0] == everything[1] > 30
    opened.evaluate(
        """(() => {
          const select = document.querySelector('select[name=kind]');
          select.value = [...select.options].find((option) => option.text.startsWith('fixed')).value;
          select.dispatchEvent(new Event('input', { bubbles: true }));
        })()"""
    )
    kinds = opened.evaluate("[...new Set([...document.querySelectorAll('.hit .kind')].map((e) => e.textContent))]")
    assert kinds == ["fixed"]
    assert 0 < count(opened)[0] < everything[0]
    opened.evaluate("document.querySelector('[type=reset]').click()")
    opened.evaluate("new Promise((done) => setTimeout(done, 20))")
    assert count(opened) == everything
    asked = opened.evaluate("document.querySelector('.hit .asked').textContent")
    opened.evaluate("(() => { const box = document.querySelector('[name=search]'); box.focus(); })()")
    opened.type(asked)
    assert asked in opened.evaluate("[...document.querySelectorAll('.hit .asked')].map((e) => e.textContent)")
    # From the search box over two selects and the button to the first row.
    for _ in range(4):
        opened.press("Tab", 9)
    assert opened.evaluate("document.activeElement.tagName") == "SUMMARY"
    opened.press("Enter", 13, "\r")
    opened.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert "gold" in opened.evaluate("document.querySelector('.hit[open] .context').textContent")
    assert opened.evaluate("document.querySelectorAll('.hit[open] .pair > div').length") == 2


def test_keys_walk_through_flips_and_a_link_brings_the_view_back(opened: Browser) -> None:
    everything = count(opened)
    opened.press("/", 191, "/")
    assert opened.evaluate("document.activeElement.name") == "search"
    opened.press("ArrowDown", 40)
    opened.press("ArrowDown", 40)
    opened.press("ArrowRight", 39)
    assert opened.evaluate("[...document.querySelectorAll('.hit')].map((box) => box.open).indexOf(true)") == 1
    opened.evaluate("location.hash = '#explore?flip=fixed&answer=has+an+answer&search=what'")
    opened.evaluate("new Promise((done) => setTimeout(done, 50))")
    kinds = opened.evaluate("[...new Set([...document.querySelectorAll('.hit .kind')].map((e) => e.textContent))]")
    assert kinds == ["fixed"]
    assert 0 < count(opened)[0] < everything[0]
    assert opened.evaluate("document.querySelector('[name=search]').value") == "what"
    opened.evaluate("document.querySelector('[type=reset]').click()")
    opened.evaluate("new Promise((done) => setTimeout(done, 450))")
    assert opened.evaluate("location.hash") == ""
    assert count(opened) == everything


def test_the_page_begins_with_the_finding_and_the_next_command(opened: Browser, report: Path) -> None:
    told = opened.evaluate("[...document.querySelectorAll('.findings p')].map((one) => one.textContent)")
    assert "lr=0.001 is better than" in told[0]
    assert opened.evaluate(
        "document.querySelector('.findings').compareDocumentPosition(document.getElementById('leaderboard')) & 4"
    )
    command = opened.evaluate("(document.querySelector('.command') || {}).textContent || ''")
    assert command.startswith("qaexp train -m ") or not any("qaexp train" in sentence for sentence in told)


@pytest.mark.parametrize("width", [400, 1280])
def test_the_leaderboard_fits_and_more_columns_wait_behind_a_box(browser: Browser, report: Path, width: int) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
    browser.open(report)
    heads = (
        "[...document.querySelectorAll('.sortable th button')].filter((one) => one.offsetWidth).map((one) => "
        "[one.textContent, one.getBoundingClientRect().right <= "
        "one.closest('.wide').getBoundingClientRect().right])"
    )
    shown = browser.evaluate(heads)
    assert all(is_inside for _, is_inside in shown)
    names = [name for name, _ in shown]
    assert names[-1] == ("against the baseline" if width == 400 else "no_ans_f1")
    assert "train_seconds" not in names
    browser.evaluate("document.querySelector('.more-columns').click()")
    assert "train_seconds" in [name for name, _ in browser.evaluate(heads)]
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_pages_turn(opened: Browser) -> None:
    first = opened.evaluate("document.querySelector('.hit .asked').textContent")
    opened.evaluate("document.getElementById('next').click()")
    assert opened.evaluate("document.querySelector('.hit .asked').textContent") != first


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_its_window(browser: Browser, report: Path, width: int, scheme: str) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(report)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    wide = (
        "[...document.querySelectorAll('.plot canvas')].every((c) => c.clientWidth <= c.closest('figure').clientWidth)"
    )
    assert browser.evaluate(wide)
    assert browser.complaints == []
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_paper_is_light_also_where_the_screen_is_dark(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.open(report)
    dark, light = (
        browser.evaluate(f"(() => {{ dispatchEvent(new Event('{event}')); return look.card; }})()")
        for event in ("afterprint", "beforeprint")
    )
    assert (dark, light) == ("#222225", "#ffffff")
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_without_javascript_the_tables_are_there(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    text = browser.evaluate("document.body.innerText")
    for part in ("Leaderboard", "lr=0.001", "better", "need JavaScript", "What differs"):
        assert part in text


def test_hostile_text_stays_text(browser: Browser, options: Options, tmp_path: Path) -> None:
    comparison = compare([write_markup(tmp_path / "runs")], options)
    page = write_report(comparison, tmp_path / "page.html")[0]
    browser.open(page)
    browser.evaluate("document.querySelectorAll('.hit').forEach((box) => { box.open = true; })")
    browser.evaluate("new Promise((done) => setTimeout(done, 100))")
    assert browser.evaluate("document.scripts.length") == 2
    assert browser.evaluate("document.querySelectorAll('img, iframe, svg, base, link').length") == 0
    assert "<script>alert(1)</script>" in browser.evaluate("document.getElementById('hits').textContent")
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []


def test_flags_stand_beside_the_name_and_open_to_the_notes(browser: Browser, options: Options, tmp_path: Path) -> None:
    page = write_report(compare([write_markup(tmp_path / "runs")], options), tmp_path / "page.html")[0]
    browser.open(page)
    flag = "document.querySelector('.sortable tbody th[scope=row] summary .flag')"
    assert browser.evaluate(f"{flag}.textContent").endswith("(1 of 1)")
    assert browser.evaluate(f"{flag}.getBoundingClientRect().right <= innerWidth")
    letter = "getComputedStyle(document.querySelector('.sortable tbody td'), '::after').content"
    assert browser.evaluate(letter).strip('"').strip("\u00a0") == "A"
