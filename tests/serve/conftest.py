"""A tiny model, and the application that serves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import qaexp
from tests.fixtures import tiny_run
from tests.fixtures.served import Served


@pytest.fixture(scope="package")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> qaexp.Predictor:
    """A model of random weights that always finds a span, with windows of 64 tokens."""
    work = tmp_path_factory.mktemp("work")
    files = [tiny_run.write_squad(work / f"{name}.json", 4, 2) for name in ("train", "dev")]
    run = tiny_run.train(work, "one", *tiny_run.FILES, *tiny_run.files_of(*files), "trainer.epochs=0")
    return qaexp.Predictor(run, device="cpu", precision="fp32", null_threshold=1e5)


@pytest.fixture
def served(predictor: qaexp.Predictor) -> Iterator[Served]:
    found = Served(predictor)
    yield found
    found.close()


@pytest.fixture
def make_served(predictor: qaexp.Predictor) -> Iterator[type[Served]]:
    """Make servers with other limits; they end with the test."""
    made: list[Served] = []

    def make(**limits: float) -> Served:
        made.append(Served(predictor, **limits))  # type: ignore[arg-type]
        return made[-1]

    yield make  # type: ignore[misc]
    for one in made:
        one.close()


@pytest.fixture(scope="package")
def run_folder(predictor: qaexp.Predictor) -> Path:
    return predictor.folder.parent
