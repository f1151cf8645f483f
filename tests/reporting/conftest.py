"""A lifelike run directory for every test of pictures, tables and pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.browser import NAMES, Browser, executable
from tests.fixtures.fake_run import build as build_run


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a completed run, which tests only read."""
    return build_run(tmp_path_factory.mktemp("runs") / "notebook-repaired", num_examples=200)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a running browser, which all tests share; they begin with `open`."""
    path = executable()
    if path is None:
        pytest.skip(f"needs a browser: one of {', '.join(NAMES)}")
    found = Browser(path)
    yield found
    found.close()
