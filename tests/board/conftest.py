"""Boards that end with their tests, and a few small runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures import fake_run
from tests.fixtures.boarded import Boarded

SMALL = {"num_examples": 8, "num_steps": 6, "num_epochs": 2}


@pytest.fixture
def make_board() -> Iterator[Callable[..., Boarded]]:
    """Make boards; they end with the test."""
    made: list[Boarded] = []

    def make(*roots: Path) -> Boarded:
        made.append(Boarded(*roots))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Three completed runs."""
    for name in ("a", "b", "c"):
        fake_run.build(tmp_path / "outputs" / name, name=name, **SMALL)
    return tmp_path / "outputs"
