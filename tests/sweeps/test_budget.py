"""The disk budget of a sweep: what goes first, what stays, and that running jobs are left alone."""

from __future__ import annotations

import os
from pathlib import Path

from qaexp.sweeps.budget import keep_budget
from tests.fixtures import tiny_run

MIB = 2**20


def job(sweep: Path, name: str, age: int, *steps: int) -> Path:
    """A run directory whose checkpoints have one MiB each."""
    for step in steps:
        folder = sweep / name / "checkpoints" / f"step-{step:07}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * MIB)
    os.utime(sweep / name, (1000 - age, 1000 - age))
    return sweep / name


def test_older_checkpoints_go_first_and_the_newest_of_a_job_last(tmp_path: Path) -> None:
    old, new = job(tmp_path, "old", 2, 10, 20, 30), job(tmp_path, "new", 1, 10, 20)
    job(tmp_path, "running", 3, 10, 20)
    assert keep_budget(tmp_path, 7) == []

    def deleted(budget: float) -> list[str]:
        found = keep_budget(tmp_path, budget, spared=["running"])
        return [f"{path.parent.parent.name} {int(path.name[5:])}" for path in found]

    assert deleted(6) == ["old 10"]
    assert deleted(4) == ["old 20", "new 10"]
    assert deleted(0) == ["old 30", "new 20"]
    assert len(list((tmp_path / "running" / "checkpoints").iterdir())) == 2
    assert not any(list((run / "checkpoints").iterdir()) for run in (old, new))


def test_a_sweep_keeps_to_its_budget(tmp_path: Path) -> None:
    words = [*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=2", "trainer.checkpoint_every=1"]
    # A rate that breaks the training ends each job with checkpoints.
    broken = ["optimizer=sgd", "optimizer.lr=100", "trainer.max_grad_norm=null", "trainer.epochs=30", "seed=0,1"]
    done = tiny_run.call(tmp_path, "train", "-m", "name=s", *words, *broken, "sweep.max_checkpoint_mib=0")
    assert done.code == 10, done.err
    assert not list((tmp_path / "multirun_outputs" / "s").glob("*/checkpoints/step-*"))
    kept = tiny_run.call(tmp_path, "train", "-m", "name=t", *words, *broken)
    assert kept.code == 10
    assert list((tmp_path / "multirun_outputs" / "t").glob("*/checkpoints/step-*"))


def test_a_budget_that_would_have_no_effect_is_refused(tmp_path: Path) -> None:
    words = [*tiny_run.MODEL, "seed=0,1", "sweep.max_checkpoint_mib=5", "hydra/launcher=basic"]
    done = tiny_run.call(tmp_path, "train", "-m", "name=s", *words)
    assert (done.code, "hydra/launcher=local" in done.last_line) == (2, True)
