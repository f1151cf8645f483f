"""A lifelike run directory for every test of pictures, tables and pages."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

_BUILDER = Path(__file__).parent.parent / "fixtures" / "fake_run.py"


@pytest.fixture(scope="session")
def build_run() -> Callable[..., Path]:
    """Return the function that writes a made-up run into a directory."""
    spec = importlib.util.spec_from_file_location("fake_run", _BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build: Callable[..., Path] = module.build
    return build


@pytest.fixture(scope="session")
def fake_run(build_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a completed run, which tests only read."""
    return build_run(tmp_path_factory.mktemp("runs") / "notebook-repaired", num_examples=200)
