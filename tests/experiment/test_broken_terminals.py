"""What is only told never costs a run: bars and tables before terminals that fail, go away, or are odd."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qaexp.commands.watching import watch
from qaexp.experiment import greeting
from qaexp.experiment.screen import TrainingView
from qaexp.reporting.terminal.bars import bar_on_stderr
from qaexp.reporting.terminal.console import RunConsole
from qaexp.reporting.terminal.outlets import outlets
from qaexp.reporting.terminal.printing import say
from qaexp.sweeps.plan import Plan
from qaexp.sweeps.view import SweepView, print_plan
from tests.experiment.test_progress import ROW
from tests.reporting.test_standing import run

pytestmark = pytest.mark.fault("U1")


class Terminal(io.StringIO):
    """A terminal that takes so many writes, and then fails as it is told to."""

    def __init__(self, error: OSError | None = None, *, writes: int = 0, encoding: str = "utf-8") -> None:
        super().__init__()
        self._error, self._left, self._encoding = error, writes, encoding

    def isatty(self) -> bool:
        return True

    @property
    def encoding(self) -> str:
        return self._encoding

    def write(self, text: str) -> int:
        text.encode(self._encoding)  # as a real stream does, strictly
        if self._error is not None and self._left <= 0:
            raise self._error
        self._left -= 1
        return super().write(text)

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def train_view() -> None:
    view = TrainingView(10, probes=["Où?", "And?"])
    with view:
        for step in range(1, 11):
            view.moved(step)
            view.step(step, 2.5, 1234.0)
        with view.answering("dev", 3) as seen:
            seen(3, 3)
            view._bars.refresh()
        view.evaluation(ROW)
    with view.answering("test", 3) as seen:
        seen(1, 3)


def sweep_view() -> None:
    console = RunConsole()
    plan = Plan([], 0, [Path("x")], 9.0)
    print_plan(console, plan, 1)
    with SweepView(console, plan) as view:
        view.tick([])


def answering() -> None:
    with bar_on_stderr("answering", 3) as seen:
        seen(1, 3)


def greet() -> None:
    greeting.announce("run", Path("outputs/\u6771"))
    greeting.tell_fresh({"num_parameters": 1}, is_all=True)
    greeting.already_completed(None)


def watching() -> None:
    runs = [run("outputs/a", state="running"), run("outputs/b", state="completed")]
    watch(lambda: (runs[1:], []), (runs, []), RunConsole(), seconds=0.0)


SHOWN: dict[str, Callable[[], None]] = {
    "training": train_view,
    "sweep": sweep_view,
    "answering": answering,
    "greeting": greet,
    "watching": watching,
}
ERRORS = {
    "gone": OSError(errno.EIO, os.strerror(errno.EIO)),
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "no reader": BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("writes", [0, 1, 3])
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_terminal_that_goes_away_costs_nothing(
    show: Callable[[], None], writes: int, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal(error, writes=writes))
    monkeypatch.setattr(sys, "stderr", Terminal(error, writes=writes))
    with outlets():
        show()
        say("and the rest")


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_encoding_without_our_characters_costs_nothing(
    show: Callable[[], None], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal(encoding=encoding))
    monkeypatch.setattr(sys, "stderr", Terminal(encoding=encoding))
    with outlets():
        show()


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("columns", ["0", "1", "5", "10000", "abc", "-3"])
@pytest.mark.parametrize("term", ["dumb", "", "xterm"])
def test_an_odd_terminal_costs_nothing(
    show: Callable[[], None], columns: str, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdout", found := Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    with outlets():
        show()
    assert max(map(len, found.getvalue().splitlines()), default=0) < 1000


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_streams_that_were_never_open_cost_nothing(show: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with outlets():
        show()
        say("anything")
