"""When the folders are looked at: only for those who ask, and once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from qaexp.board import watch as module
from qaexp.board.index import Index
from qaexp.board.scanner import Scanner
from qaexp.board.tree import Tree
from qaexp.board.watch import Watch


class Slow(Scanner):
    """A scanner whose looks end when a test wants it."""

    def __init__(self, root: Path) -> None:
        super().__init__(Index(), Tree([root]))
        self.may_end, self.num_begun = threading.Event(), 0

    def look(self, now: datetime, is_closed: Callable[[], bool] = lambda: False) -> None:
        self.num_begun += 1
        assert self.may_end.wait(300)
        super().look(now, is_closed)


@pytest.fixture
def told() -> list[str]:
    return []


def test_who_asks_meanwhile_shares_the_look(tmp_path: Path, told: list[str]) -> None:
    scanner = Slow(tmp_path)
    watch = Watch(scanner, told.append)
    assert scanner.num_begun == 0
    first = watch.ask()
    assert first is not None
    assert watch.ask() is first
    assert not watch.is_complete
    scanner.may_end.set()
    first.result(60)
    assert (scanner.num_begun, watch.is_complete) == (1, True)


def test_a_look_that_is_new_enough_is_not_repeated(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Slow(tmp_path)
    scanner.may_end.set()
    watch = Watch(scanner, told.append)
    monkeypatch.setattr(module, "LEAST_SECONDS", 1e6)
    first = watch.ask()
    assert first is not None
    first.result(60)
    assert watch.ask() is None
    monkeypatch.setattr(module, "LEAST_SECONDS", -1e9)
    monkeypatch.setattr(module, "TIMES_AS_LONG", 0.0)
    other = Watch(scanner, told.append)
    for number in (2, 3):
        look = other.ask()
        assert look is not None
        look.result(60)
        other.join(60)
        assert scanner.num_begun == number
    assert told == []


def test_a_look_that_fails_is_told_once_and_the_next_one_is_made(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(module, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(module, "TIMES_AS_LONG", 0.0)
    scanner = Slow(tmp_path)
    monkeypatch.setattr(scanner, "look", fail)
    watch = Watch(scanner, told.append)
    for _ in range(2):
        look = watch.ask()
        assert look is not None
        look.result(60)
        watch.join(60)
    assert told == ["qaexp board: the folders could not be looked at: RuntimeError: no"]
    assert not watch.is_complete


def test_after_the_end_nothing_is_looked_at(tmp_path: Path, told: list[str]) -> None:
    scanner = Slow(tmp_path)
    watch = Watch(scanner, told.append)
    look = watch.ask()
    assert look is not None
    watch.close()
    scanner.may_end.set()
    look.result(60)
    assert watch.ask() is None
    assert scanner.num_begun == 1
