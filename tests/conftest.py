"""Fixtures that every test may use: the real sample where there is one, and a quiet machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests import REPOSITORY

# One thread: results of tiny models do not depend on the machine, and parallel tests do not fight for cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def _shared(variable: str, *places: str) -> Path:
    """A folder that is not part of the repository: named by an environment variable, or beside the checkout."""
    named = os.environ.get(variable)
    found = [Path(named)] if named else [REPOSITORY.parent.joinpath("shared", *places)]
    if not found[0].is_dir():
        pytest.skip(f"needs {'/'.join(places)}, which this repository does not ship: set {variable} to its folder")
    return found[0]


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The real SQuAD v2 sample: train.json (3,707 questions) and dev.json (1,152)."""
    return _shared("QAEXP_SAMPLE", "data", "squad_v2_sample")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Values that the official script printed for perturbed predictions on the sample's dev.json."""
    return _shared("QAEXP_GOLDEN", "golden")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Every test begins with one thread, whatever a run before it has set."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Feature caches of tests stay out of the user's home."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("QAEXP_CACHE_DIR", str(folder))
    return folder
