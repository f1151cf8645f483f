"""Sentences are as wide as the terminal, and one line where a program reads them."""

from __future__ import annotations

import io
import sys

import pytest

from qaexp.reporting.terminal import sentences
from qaexp.reporting.terminal.sentences import fitted

PATH = "/a/very-long-folder/" + "x" * 90
SENTENCE = f"qaexp export: {PATH}: left out: it answers nothing " + "at threshold 0 and " * 9


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    lines = fitted(SENTENCE, screen).splitlines()
    assert all(len(line) < columns or line.strip() == f"{PATH}:" for line in lines)
    assert " ".join(line.strip() for line in lines) == SENTENCE.strip()
    assert len(lines) > 1


def test_a_pipe_gets_one_line() -> None:
    assert fitted(SENTENCE, io.StringIO()) == sentences.one_line(SENTENCE) + "\n"
    assert fitted("a\nb", io.StringIO()).count("\n") == 1
