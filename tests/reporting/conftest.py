"""A lifelike run directory for every test of pictures, tables and pages."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_FIXTURES = Path(__file__).parent.parent / "fixtures"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, _FIXTURES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build_run() -> Callable[..., Path]:
    """Return the function that writes a made-up run into a directory."""
    module = _load("fake_run")
    build: Callable[..., Path] = module.build
    return build


@pytest.fixture(scope="session")
def fake_run(build_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a completed run, which tests only read."""
    return build_run(tmp_path_factory.mktemp("runs") / "notebook-repaired", num_examples=200)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a running browser, which all tests share; they begin with `open`."""
    module = _load("browser")
    path = module.executable()
    if path is None:
        pytest.skip("no Chromium is installed")
    found = module.Browser(path)
    yield found
    found.close()
