"""An open run with a small config, for the tests of run directories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.identity import identify
from qaexp.runs.run import Run

OpenRun = Callable[..., Run]


def describe_run(directory: Path, *, seed: int = 2, extra: dict[str, Any] | None = None, **keywords: Any) -> Run:
    """Return a run that is not open yet."""
    config = {"name": directory.name, "seed": seed, **(extra or {})}
    identity = identify(config, {"name"}, {"sha256": "d"}, {"sha256": "w"})
    keywords.setdefault("environment", {"command_line": ["qaexp", "train", f"seed={seed}"]})
    return Run(directory, config=config, identity=identity, **keywords)


@pytest.fixture
def open_run() -> OpenRun:
    """Return the function that describes a run, for example `open_run(directory, seed=3, is_main=False)`."""
    return describe_run
