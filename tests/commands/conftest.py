"""The small runs of tests/fixtures, for the tests of every command."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_FILE = Path(__file__).parent.parent / "fixtures" / "tiny_run.py"


@pytest.fixture(scope="session")
def tiny_run() -> ModuleType:
    """The module of small runs: `tiny_run.train(...)`, `tiny_run.call(...)`, `tiny_run.write_squad(...)`."""
    spec = importlib.util.spec_from_file_location("tiny_run", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
