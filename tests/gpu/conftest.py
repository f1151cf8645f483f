"""The tiny training of tests/fixtures, for the tests of devices."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

_FILE = Path(__file__).parent.parent / "fixtures" / "tiny_training.py"


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module of fixtures: `tiny.start(...)`, `tiny.train(...)`, `tiny.make_model(...)`."""
    spec = importlib.util.spec_from_file_location("tiny_training", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
