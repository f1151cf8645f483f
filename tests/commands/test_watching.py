"""`qaexp status --watch`: how often it looks, when it ends, and what it shows on a small screen."""

from __future__ import annotations

import fcntl
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from qaexp.commands.watching import Found, is_under_way, screen, watch
from qaexp.reporting.terminal.console import RunConsole
from tests.reporting.test_standing import run

RUNNING = run("outputs/a", state="running", step=1, total_steps=9)
DONE = replace(RUNNING, state="completed", step=9)


@pytest.fixture
def console() -> RunConsole:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=20)  # type: ignore[return-value]


def test_it_looks_until_nothing_runs(console: RunConsole) -> None:
    looks: list[Found] = [([RUNNING], []), ([DONE], []), ([RUNNING], [])]
    found = watch(lambda: looks.pop(0), ([RUNNING], []), console, seconds=0.0)
    assert (found, len(looks)) == (([DONE], []), 1)
    assert "1/9" in console.file.getvalue()  # type: ignore[attr-defined]


def test_ctrl_c_ends_it_with_what_was_seen_last(console: RunConsole) -> None:
    def look() -> Found:
        raise KeyboardInterrupt

    assert watch(look, ([RUNNING], []), console, seconds=0.0) == ([RUNNING], [])


def test_between_two_jobs_a_sweep_is_under_way(tmp_path: Path) -> None:
    waiting = [run(tmp_path / "seed=1", state="planned")]
    assert not is_under_way(waiting)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_under_way(waiting)


def test_a_small_screen_shows_what_runs() -> None:
    ended = [replace(DONE, path=Path(f"outputs/{number}")) for number in range(40)]
    lines = screen(([*ended, RUNNING], []), 80, 10)
    assert len(lines) <= 10
    assert any("outputs/a" in line and "running" in line for line in lines)
    assert lines[-1].startswith("40 of 41 completed, 1 running; Ctrl-C ends the watch")
    many = [replace(RUNNING, path=Path(f"outputs/{number}")) for number in range(40)]
    assert len(screen((many, []), 80, 10)) == 10
