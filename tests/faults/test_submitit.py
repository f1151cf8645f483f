"""Fault K8 under submitit: a job that its scheduler interrupts stores a checkpoint, is requeued once, and goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.faults.conftest import Commands
from tests.faults.test_sweeps import wait_until
from tests.fixtures import drill, tiny_run
from tests.fixtures.fake_slurm import make_fake_slurm

WORDS = (
    *tiny_run.MODEL,
    "data.train_size=60",
    "data.dev_size=8",
    "trainer.epochs=8",
    "trainer.checkpoint_every=2",
    "threads=1",
)


def workers(folder: Path) -> dict[int, str]:
    """The processes in which submitit runs the jobs of this folder, with their environments."""
    listed = subprocess.run(["pgrep", "-f", f"submitit.core._submit {folder}"], capture_output=True, text=True).stdout
    return {int(pid): Path(f"/proc/{pid}/environ").read_text("utf-8", "replace") for pid in listed.split()}


@pytest.mark.thorough
@pytest.mark.fault("K8-submitit")
def test_an_interrupted_job_of_submitit_goes_on(qaexp: Commands) -> None:
    pytest.importorskip("submitit")
    reference = tiny_run.train(qaexp.folder, "reference", *WORDS)
    for launcher in ("submitit_local", "submitit_slurm"):
        slurm = make_fake_slurm(qaexp.folder / "slurm") if launcher == "submitit_slurm" else {}
        environment = {**os.environ, **slurm, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(qaexp.folder / "c")}
        words = ["train", "-m", f"name={launcher}", f"hydra/launcher={launcher}", *WORDS, "seed=0,1"]
        command = [sys.executable, "-m", "qaexp", *words]
        sweep = qaexp.folder / "multirun_outputs" / launcher
        with subprocess.Popen(
            command, cwd=qaexp.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            wait_until(lambda: any(sweep.glob("seed=0-*/checkpoints/step-*")))  # noqa: B023 (called at once)
            first = min(workers(sweep)) if not slurm else task_zero(workers(sweep))
            os.kill(first, signal.SIGUSR2)
            errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors
        runs = {path.name.partition("-")[0]: path for path in sweep.glob("seed=*")}
        attempts = [tiny_run.read_json(run / "run.json")["attempt"] for run in runs.values()]
        assert sorted(attempts) == [1, 2]
        assert drill.fingerprints(runs["seed=0"]) == drill.fingerprints(reference)
        assert drill.steps_once(runs["seed=0"])
    assert (qaexp.folder / "slurm" / "asked").read_text() == "requeue 700_0\n"
    script = (qaexp.folder / "slurm" / "script.sh").read_text()
    assert re.search(r"#SBATCH --array=0-1", script)
    assert "#SBATCH --signal=USR2@120" in script
    assert "#SBATCH --open-mode=append" in script


def task_zero(found: dict[int, str]) -> int:
    """The worker of the array's first task."""
    return next(pid for pid, environment in found.items() if "SLURM_ARRAY_TASK_ID=0" in environment)
