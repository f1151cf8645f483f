"""`qaexp board` over many runs: `python -m tests.benchmarks.board_of_many [--runs 3000] [--folder DIR] [--seconds 60]`.

Makes sweeps of 60 runs each, of which 9 in 10 are completed: copies of one run with names, ids and losses of their own.
Then it starts the board, opens it in Chromium, and prints seconds from the click to the first and to the last row, the
largest reply, the memory of the server, what one look costs when nothing changed and when one run did, and the
processor time of a minute with the page open, and of one without.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.fixtures import fake_run
from tests.fixtures.browser import Browser, executable

PER_SWEEP = 60
_TICKS = os.sysconf("SC_CLK_TCK")
_COPIED = ("run.json", "config.json", "summary.json", "MANIFEST.json", "metrics.jsonl", "history.csv", "data.json")


def make(folder: Path, number: int) -> None:
    """Write so many runs below a folder."""
    first = fake_run.build(folder.parent / "first", num_examples=20, num_steps=100, num_epochs=4)
    record = json.loads((first / "run.json").read_text())
    for place in range(number):
        run = folder / f"sweep{place // PER_SWEEP:03d}" / f"lr={place % PER_SWEEP}e-5-{place:08x}"
        run.mkdir(parents=True)
        for name in _COPIED:
            shutil.copyfile(first / name, run / name)
        if place % 10 == 9:  # one that was killed
            (run / "summary.json").unlink()
            killed = {"state": "running", "heartbeat": "2020-01-01T00:00:00+00:00", "host": "elsewhere", "boot_id": "x"}
            (run / "run.json").write_text(json.dumps({**record, **killed, "run_id": f"{place:08x}"}))


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The board, once it listens."""
    words = [sys.executable, "-m", "qaexp", "board", str(folder), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[0]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, name: str) -> float:
    """`VmRSS` or `VmHWM` of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def waited(browser: Browser, condition: str) -> float:
    """Seconds since the page was opened, by its own clock, once a condition holds."""
    while not browser.evaluate(condition):
        time.sleep(0.01)
    return float(browser.evaluate("performance.now()")) / 1000


def minute(pid: int, seconds: float) -> float:
    """Processor seconds of so many seconds, as of a minute."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) * 60 / seconds


def show(name: str, value: str) -> None:
    """Print a figure."""
    print(f"{name:<58}{value}", flush=True)


def measure(folder: Path, number: int, seconds: float) -> None:
    """Print the figures."""
    path = executable()
    assert path is not None, "needs Chromium"
    process, url = started(folder)
    browser = Browser(path)
    try:
        browser.open(f"{url}/")
        all_rows = "document.getElementById('live').textContent === 'live'"
        rows = "document.querySelectorAll('#rows tr.folder').length > 0"
        show("seconds to the first rows", f"{waited(browser, rows):.2f}")
        show("seconds to all rows", f"{waited(browser, all_rows):.2f}")
        browser.open("about:blank")
        browser.open(f"{url}/")
        show("seconds to all rows, opened again", f"{waited(browser, rows):.2f}")
        show("memory of the server now / at most", _memory(process.pid))
        heap = browser.evaluate("performance.memory.usedJSHeapSize")
        show("memory of the page's JavaScript", f"{heap / 2**20:.0f} MiB")
        show("largest reply", f"{len(httpx.get(f'{url}/api/runs', timeout=60).content) / 1e6:.2f} MB")
        show("one look when nothing changed", f"{1000 * _look_seconds(folder, url, changes=False):.0f} ms")
        show("one look when one run changed", f"{1000 * _look_seconds(folder, url, changes=True):.0f} ms")
        show("processor seconds of a minute, page open", f"{minute(process.pid, seconds):.2f}")
        browser.open("about:blank")
        show("processor seconds of a minute, no page open", f"{minute(process.pid, seconds):.2f}")
        show("memory of the server now / at most", _memory(process.pid))
    finally:
        browser.close()
        process.terminate()
        process.wait()


def _memory(pid: int) -> str:
    return f"{memory_mib(pid, 'VmRSS'):.0f} / {memory_mib(pid, 'VmHWM'):.0f} MiB"


def _look_seconds(folder: Path, url: str, *, changes: bool) -> float:
    """The least time of some replies that a look goes before."""
    token, least = httpx.get(f"{url}/api/runs", timeout=60).json()["token"], float("inf")
    run = next(folder.glob("*/*/run.json"))
    for _ in range(5):
        time.sleep(2.5)
        if changes:
            run.write_bytes(run.read_bytes())
        began = time.perf_counter()
        token = httpx.get(f"{url}/api/runs", params={"since": token}, timeout=60).json()["token"]
        least = min(least, time.perf_counter() - began)
    return least


def main() -> None:
    """Make the runs, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where the runs are, or are made (default: a temporary folder)")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "runs"
        if not folder.exists():
            make(folder, arguments.runs)
            time.sleep(3)
        show("runs", f"{arguments.runs:,}")
        show("machine", f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}")
        measure(folder, arguments.runs, arguments.seconds)


if __name__ == "__main__":
    main()
