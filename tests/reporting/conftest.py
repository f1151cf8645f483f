"""A lifelike run directory for every test of pictures, tables and pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.fake_run import build as build_run


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a completed run, which tests only read."""
    return build_run(tmp_path_factory.mktemp("runs") / "notebook-repaired", num_examples=200)
