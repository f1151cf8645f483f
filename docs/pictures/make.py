"""Make the pictures of README and docs in Chromium.

python docs/pictures/make.py outputs/readme
python docs/pictures/make.py report.html    # of qaexp compare
"""

from __future__ import annotations

import shutil
import sys
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


if __name__ == "__main__":
    given = Path(sys.argv[1]).resolve()
    if given.is_dir():
        main(given)
    else:
        show_comparison(given)
