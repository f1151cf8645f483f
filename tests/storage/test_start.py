"""What a process was started with stays what counts, whatever is set or entered later."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from qaexp.storage.start import Start, held, program, start, variables


def test_a_body_holds_on_to_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEN", "before")
    monkeypatch.chdir(tmp_path)
    with held():
        monkeypatch.setenv("SEEN", "after")
        monkeypatch.chdir("/")
        with held(Start({}, None)):
            assert (start().environ["SEEN"], start().directory) == ("before", tmp_path)
        assert start().environ["SEEN"] == "before"
    assert (start().environ["SEEN"], start().directory) == ("after", Path("/"))
    with held(Start({"SEEN": "of the parent"}, tmp_path)):
        assert start() == Start({"SEEN": "of the parent"}, tmp_path)


def test_variables_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "1")
    monkeypatch.setenv("TWO", "2")
    monkeypatch.delenv("THREE", raising=False)
    with suppress(KeyError), variables({"ONE": "changed", "TWO": None, "THREE": "new"}):
        assert (os.environ["ONE"], os.environ.get("TWO"), os.environ["THREE"]) == ("changed", None, "new")
        raise KeyError
    assert (os.environ["ONE"], os.environ["TWO"], os.environ.get("THREE")) == ("1", "2", None)


def test_programs_stand_at_absolute_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", f".{os.pathsep}", os.pathsep):
        monkeypatch.setenv("PATH", path)
        assert program("tool") is None
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path}")
    assert program("tool") == str(tmp_path / "tool")
