"""The console of tables: a pipe gets lines without blanks at their ends, and no width is believed that none has."""

from __future__ import annotations

import io
import sys

import pytest
from rich.table import Table

from qaexp.reporting.terminal.console import USUAL_WIDTH, RunConsole
from qaexp.reporting.terminal.outlets import outlets


class Stream(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_pipe_gets_no_blanks_at_the_ends_of_lines(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", found := Stream(is_terminal=is_terminal))
    table = Table(box=None)
    for row in (("a", "long cell", "x"), ("b", "", "")):
        table.add_row(*row)
    with outlets():
        RunConsole().print(table)
    lines = found.getvalue().splitlines()
    assert any("long cell" in line for line in lines)
    assert any(line != line.rstrip() for line in lines) == is_terminal


@pytest.mark.parametrize("columns", ["0", "1", "19", "1001", "10000"])
def test_an_odd_width_is_not_believed(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert RunConsole().width == USUAL_WIDTH
