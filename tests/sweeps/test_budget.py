"""The disk budget of a sweep: what goes first, what stays, and that running jobs are left alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.runs.owners import this_process, utc_now
from qaexp.runs.workers import working
from qaexp.storage import folders
from qaexp.sweeps.budget import Budgeted, keep_budget
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, Outcome
from qaexp.sweeps.watcher import Watcher
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


def test_what_runs_in_another_worker_is_left_alone(tmp_path: Path) -> None:
    """Whether its folder says so, or as yet its claim alone; what a dead worker has left is not."""
    claimed, running, freed = (
        job(tmp_path, f"lr=0-{letter * 8}", age, 10, 20) for age, letter in enumerate("abc", start=1)
    )
    here = {**this_process(), "heartbeat": utc_now().isoformat()}
    (running / "run.json").write_text(json.dumps({"schema_version": 1, "run_id": "b" * 8, "state": "running", **here}))
    with working(tmp_path) as claims:
        claims.take("a" * 8, None)
        claim = claims.take("c" * 8, None)
        assert claim is not None
        claims.end(claim, "preempted")
        assert {path.parents[1] for path in keep_budget(tmp_path, 0)} == {freed}
    assert [len(find_checkpoints(run)) for run in (claimed, running)] == [2, 2]


def test_what_another_worker_stores_or_deletes_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and folders vanish wherever they are looked at; two workers delete the same checkpoint."""
    old, busy = job(tmp_path, "old", 2, 10, 20), job(tmp_path, "busy", 1, 10)
    stat, remove = os.stat, folders.shutil.rmtree

    def vanishing(path: object, *args: Any, **more: Any) -> os.stat_result:
        if str(path).endswith(f"busy/checkpoints/step-{10:07}/model.safetensors"):
            shutil.rmtree(busy / "checkpoints")
        return stat(path, *args, **more)  # type: ignore[call-overload, no-any-return]

    def removed_twice(*args: Any, **more: Any) -> None:
        remove(*args, **more)
        remove(*args, **more)

    monkeypatch.setattr(os, "stat", vanishing)
    monkeypatch.setattr(folders.shutil, "rmtree", removed_twice)
    assert keep_budget(tmp_path, 1, spared=["busy"]) == [old / "checkpoints" / f"step-{10:07}"]


def test_what_cannot_be_deleted_is_told_and_ends_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    said: list[str] = []
    watcher = SimpleNamespace(say=said.append, ended=lambda *told: said.append("ended"))
    monkeypatch.setattr(folders.shutil, "rmtree", refuse)
    job(tmp_path, "old", 2, 10)
    ended = SimpleNamespace(folder=tmp_path / "new")
    Budgeted(cast(Watcher, watcher), tmp_path, 0).ended(cast(Job, ended), Outcome(COMPLETED), 1.0)
    assert "max_checkpoint_mib=0 is not kept to" in said[0]
    assert said[1:] == ["ended"]


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
