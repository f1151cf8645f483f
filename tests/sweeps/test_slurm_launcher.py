"""`hydra/launcher=slurm` without Slurm: what it asks Slurm's programs for."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qaexp.runs import slurm_queue
from qaexp.runs.claims import Claims
from qaexp.sweeps import slurm_array
from qaexp.sweeps.slurm_launcher import SlurmLauncher


@pytest.mark.thorough
def test_workers_that_still_wait_when_nothing_is_missing_are_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def call(name: str, words: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
        called.append(" ".join([name, *words]) if name == "scancel" else name)
        return subprocess.CompletedProcess([name], 0, "12\n" if name == "sbatch" else "", "")

    monkeypatch.setattr(slurm_array, "check_there", lambda: None)
    monkeypatch.setattr(slurm_array, "call", call)
    monkeypatch.setattr(slurm_queue, "call", call)
    attended: Any = SimpleNamespace(is_over=True, look=lambda: None)
    SlurmLauncher(workers=3).attend(Claims(tmp_path), 2, attended, lambda _: None)
    assert called == ["sbatch", "scancel --state=PENDING 12"]
