"""A small sweep that all tests of a comparison only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.comparison.compare import Options
from qaexp.config.schema import neutral_keys
from qaexp.runs.readers.defaults import default_leaves
from tests.fixtures.compared import write_grid


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three learning rates, three seeds each: two alike, one far better."""
    return write_grid(tmp_path_factory.mktemp("grid") / "sweep", levels={1e-4: 50, 3e-4: 51, 1e-3: 75})


@pytest.fixture(scope="session")
def options() -> Options:
    return Options(neutral=neutral_keys(), defaults=default_leaves())
