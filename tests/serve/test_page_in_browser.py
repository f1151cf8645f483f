"""The page of the server in a real browser: asked by keys, answered in place, told in words, and nothing is markup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import qaexp
from tests.fixtures.browser import Browser
from tests.fixtures.served import Served, at_port

CONTEXT = "Anna was born in Paris in 1900, and later Anna taught at a school for years."
HOSTILE = "<img src=/x onerror=alert(1)></script><script>alert(2)</script>"
QUESTION = "Where was Anna born?"
SIZES = {"wide": (1240, 900), "narrow": (360, 740)}


@pytest.fixture
def url(served: Served) -> Iterator[str]:
    with at_port(served) as found:
        yield found


@pytest.fixture
def opened(browser: Browser, url: str) -> Iterator[Browser]:
    """The browser with the page; afterwards it has asked nobody but the server, and nothing went wrong."""
    browser.open(f"{url}/")
    yield browser
    assert {address.removeprefix(url) for address in browser.requests} <= {
        "/", "/serve.css", "/serve.js", "/icon.svg", "/health", "/answer"
    }  # fmt: skip
    assert browser.complaints == []
    browser.call("Emulation.clearDeviceMetricsOverride")


def text(browser: Browser, name: str) -> str:
    return str(browser.evaluate(f"document.getElementById({json.dumps(name)}).textContent"))


def is_shown(browser: Browser, name: str) -> bool:
    return bool(browser.evaluate(f"!document.getElementById({json.dumps(name)}).hidden"))


def until(browser: Browser, condition: str) -> None:
    end = time.monotonic() + 60
    while not browser.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


DONE = "document.getElementById('ask').getAttribute('aria-disabled') === 'false'"


def ask(browser: Browser, context: str, question: str) -> None:
    """Fill in both fields and ask, by keys alone."""
    for name, given in (("context", context), ("question", question)):
        browser.evaluate(f"(field => {{ field.focus(); field.select(); }})(document.getElementById('{name}'))")
        browser.type(given)
    browser.press("Enter", 13, "\r")
    until(browser, DONE)


def test_a_question_is_answered_by_keys_alone(opened: Browser, predictor: qaexp.Predictor) -> None:
    until(opened, "document.activeElement.id === 'context'")
    opened.type(CONTEXT)
    opened.press("Tab", 9)
    assert opened.evaluate("document.activeElement.id") == "question"
    opened.type(QUESTION)
    given = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "modifiers": 2}
    opened.evaluate("document.getElementById('context').focus()")
    opened.call("Input.dispatchKeyEvent", type="keyDown", **given)
    opened.call("Input.dispatchKeyEvent", type="keyUp", **given)
    until(opened, "!document.getElementById('result').hidden")
    expected = predictor.answer(QUESTION, CONTEXT)
    assert text(opened, "answer") == opened.evaluate("document.querySelector('mark').textContent") == expected.answer
    assert text(opened, "status").startswith(f"Answer: {expected.answer}")
    assert opened.evaluate("document.getElementById('status').getAttribute('aria-live')") == "polite"
    assert text(opened, "text") == CONTEXT
    shown = opened.evaluate("[...document.querySelectorAll('#spans .words')].map((one) => one.textContent)")
    assert shown == [span["text"] for span in expected.n_best[:10]]
    assert text(opened, "odds").endswith(" %")
    # Every control is reached in order, and shows that it is.
    order = []
    for _ in range(6):
        opened.press("Tab", 9)
        order.append(opened.evaluate("document.activeElement.id || document.activeElement.closest('ol').id"))
        assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert order == ["question", "ask", "text", "spans", "spans", "spans"]
    opened.press("Enter", 13, "\r")
    assert opened.evaluate("document.querySelector('mark').textContent") == expected.n_best[2]["text"]
    assert opened.evaluate("document.querySelectorAll('#spans [aria-pressed=true]').length") == 1


@pytest.mark.parametrize("prefix", ["", "😀 𝒜𝓃𝓃𝒶 e\u0301 \u202e", "שלום עולם "])
def test_the_marked_text_is_the_answer_in_any_script(opened: Browser, prefix: str) -> None:
    ask(opened, f"{prefix}{CONTEXT} 😀", QUESTION)
    assert opened.evaluate("document.querySelector('mark').textContent") == text(opened, "answer") != ""
    assert text(opened, "text") == f"{prefix}{CONTEXT} 😀"


def test_no_text_is_markup(opened: Browser) -> None:
    ask(opened, f"{HOSTILE} {CONTEXT}", "<img src=/x> who?")
    assert opened.evaluate("document.querySelectorAll('img, main script').length") == 0
    assert text(opened, "text") == f"{HOSTILE} {CONTEXT}"
    assert text(opened, "asked") == "<img src=/x> who?"


def test_no_answer_is_said(browser: Browser, predictor: qaexp.Predictor) -> None:
    unsure = Served(qaexp.Predictor(predictor.folder, device="cpu", precision="fp32", null_threshold=-1e5))
    with at_port(unsure) as url:
        browser.open(f"{url}/")
        ask(browser, CONTEXT, QUESTION)
        assert text(browser, "answer") == "No answer in this text"
        assert text(browser, "status").startswith("The text holds no answer")
        assert browser.evaluate("document.querySelectorAll('mark, #spans [aria-pressed=true]').length") == 0
    unsure.close()


def test_errors_are_told_in_words(
    browser: Browser, make_served: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = make_served(max_bytes=2000)
    with at_port(served) as url:
        browser.open(f"{url}/")
        ask(browser, " ", QUESTION)
        assert text(browser, "error") == "Paste a text first."
        assert browser.evaluate("document.activeElement.id") == "context"
        ask(browser, CONTEXT, " ")
        assert text(browser, "error") == "Type a question first."
        ask(browser, CONTEXT, QUESTION)
        assert is_shown(browser, "result")
        assert not is_shown(browser, "error")
        ask(browser, CONTEXT * 30, QUESTION)
        assert text(browser, "error") == "The body is larger than 2,000 bytes; send a shorter text."
        assert not is_shown(browser, "result")
        ask(browser, CONTEXT, "who " * 200)
        assert text(browser, "error").startswith("The question is longer than the model reads")
        monkeypatch.setattr(served.desk.worker._reader, "read", lambda _: [][0])
        ask(browser, CONTEXT, QUESTION)
        assert text(browser, "error").startswith("The model failed (IndexError)")
    ask(browser, CONTEXT, QUESTION)
    assert text(browser, "error") == "The server is not there: is qaexp serve still running?"


def test_the_answer_is_that_of_the_last_question(opened: Browser, served: Served) -> None:
    reader, seen = served.desk.worker._reader, []
    cut = reader.cut

    def slow_at_first(question: str, *rest: Any) -> Any:
        seen.append(question)
        if len(seen) == 1:
            time.sleep(0.5)
        return cut(question, *rest)

    reader.cut = slow_at_first  # type: ignore[method-assign]
    until(opened, "document.activeElement.id === 'context'")
    opened.type(CONTEXT)
    opened.press("Tab", 9)
    opened.type("first?")
    opened.press("Enter", 13, "\r")
    until(opened, "document.getElementById('status').textContent === 'Reading …'")
    opened.evaluate("document.getElementById('question').select()")
    opened.type("second?")
    opened.press("Enter", 13, "\r")
    until(opened, f"{DONE} && !document.getElementById('result').hidden")
    assert text(opened, "asked") == "second?"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_or_hard_to_read(opened: Browser, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    opened.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    opened.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    ask(opened, f"{'a' * 3000} {CONTEXT * 40}", f"Who? {'b' * 30}")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    # Contrast of text as WCAG computes it; 4.5 is its AA.
    low = opened.evaluate("""(() => {
      const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
      const light = (colour) => { const [r, g, b] = parts(colour).slice(0, 3).map((c) => c / 255).map(
        (c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
      const behind = (node) => { for (let at = node; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if ((parts(colour)[3] ?? 1) === 1) return colour; } };
      return [...document.querySelectorAll('h1, h2, p, label, button, textarea, input, mark, .words, .share, kbd')]
        .filter((node) => node.textContent && node.offsetParent).map((node) => {
          const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
          return [node.id || node.className || node.tagName,
            (Math.max(one, other) + .05) / (Math.min(one, other) + .05)]; }).filter(([, ratio]) => ratio < 4.5);
    })()""")
    assert low == []


def test_a_text_of_a_megabyte_is_shown(opened: Browser) -> None:
    opened.evaluate(f"document.getElementById('context').value = {json.dumps(CONTEXT)} + ' ' + 'x'.repeat(900000)")
    opened.evaluate("document.getElementById('question').focus()")
    opened.type(QUESTION)
    opened.press("Enter", 13, "\r")
    until(opened, f"{DONE} && document.getElementById('status').textContent !== ''")
    assert text(opened, "error") == ""
    assert len(text(opened, "text")) == len(CONTEXT) + 900_001
