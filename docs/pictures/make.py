"""Make the pictures of README and docs in Chromium.

python docs/pictures/make.py outputs/readme
python docs/pictures/make.py report.html    # of qaexp compare
python docs/pictures/make.py http://127.0.0.1:8000    # of qaexp serve outputs/readme
python docs/pictures/make.py http://127.0.0.1:8001    # of qaexp board, while a sweep runs
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.fixtures.browser import Browser, executable  # noqa: E402

PLOTS = ("threshold", "slices")
WIDTH, HEIGHT = 1240, 900


def main(run: Path) -> None:
    """Copy plots and take two views of report.html: its top, and the explorer with a filter and an open row."""
    for name in PLOTS:
        shutil.copyfile(run / "plots" / f"{name}.png", HERE / f"{name}.png")
    path = executable()
    assert path is not None, "needs Chromium"
    browser = Browser(path)
    browser.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    browser.open(run / "report.html")
    (HERE / "report.png").write_bytes(browser.screenshot(whole=False))
    browser.evaluate("document.querySelector('[name=search]').focus()")
    browser.type("capital")
    browser.evaluate("document.querySelector('.hit summary')?.click()")
    browser.evaluate("document.getElementById('explorer-title').scrollIntoView()")
    (HERE / "predictions.png").write_bytes(browser.screenshot(whole=False))
    browser.close()


def show_comparison(page: Path) -> None:
    """Take a view of the page of `qaexp compare`: its leaderboard, verdicts and first figures."""
    path = executable()
    assert path is not None, "needs Chromium"
    browser = Browser(path)
    size = {"width": WIDTH, "height": 1500}
    browser.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
    browser.open(page)
    (HERE / "compare.png").write_bytes(browser.screenshot(whole=False))
    browser.close()


NUM_TEXTS, QUESTION = 24, "What is Thailand's official language?"
SERVED = {"serve": (WIDTH, 900, "light"), "serve_narrow": (360, 900, "light"), "serve_dark": (WIDTH, 900, "dark")}


def show_server(url: str) -> None:
    """Take three views of the page of `qaexp serve`: wide, narrow and dark, each with an answer to a long text."""
    path = executable()
    assert path is not None, "needs Chromium"
    articles = json.loads((HERE.parents[1] / "qaexp" / "data" / "demo" / "dev.json").read_text("utf-8"))["data"]
    texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]][:NUM_TEXTS]
    text, browser = "\n\n".join(texts), Browser(path)
    for name, (width, height, scheme) in SERVED.items():
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(url)
        browser.evaluate("document.getElementById('context').focus()")
        browser.type(text)
        browser.evaluate("document.getElementById('question').focus()")
        browser.type(QUESTION)
        browser.press("Enter", 13, "\r")
        end = time.monotonic() + 60
        while browser.evaluate("document.getElementById('result').hidden"):
            assert time.monotonic() < end, browser.evaluate("document.getElementById('error').textContent")
            time.sleep(0.1)
        (HERE / f"{name}.png").write_bytes(browser.screenshot())
    browser.close()


BOARD = {"board": (WIDTH, 900, "light"), "board_narrow": (400, 900, "light"), "board_dark": (WIDTH, 900, "dark")}


def show_board(url: str) -> None:
    """Take three views of the page of `qaexp board`: wide, narrow and dark, each once there are curves."""
    path = executable()
    assert path is not None, "needs Chromium"
    browser = Browser(path)
    for name, (width, height, scheme) in BOARD.items():
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(url)
        while not browser.evaluate("document.querySelectorAll('#f1 canvas').length"):
            time.sleep(0.1)
        (HERE / f"{name}.png").write_bytes(browser.screenshot(whole=False))
    browser.close()


def is_board(url: str) -> bool:
    """Whether the server at an address is a board."""
    with urllib.request.urlopen(url) as reply:
        return b"<title>qaexp board</title>" in reply.read()


if __name__ == "__main__":
    given = Path(sys.argv[1]).resolve()
    if sys.argv[1].startswith("http://"):
        (show_board if is_board(sys.argv[1]) else show_server)(sys.argv[1])
    elif given.is_dir():
        main(given)
    else:
        show_comparison(given)
