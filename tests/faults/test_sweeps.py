"""Faults W: jobs that fail in every way, sweeps that are killed, changed, started twice or wrong from the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import REPOSITORY
from tests.faults.conftest import Commands
from tests.fixtures import drill, planted, tiny_run
from tests.fixtures.attempts import THOROUGH

WORDS = (
    *tiny_run.MODEL,
    *planted.WORDS,
    "data.train_size=12",
    "data.dev_size=8",
    "trainer.epochs=1",
    "hydra.launcher.jobs=2",
)
SIX = "+optimizer.how=a,b,c,d,e,raise"
LAUNCHERS = ("basic", "joblib", "submitit_local")


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)


def sweep(folder: Path, name: str, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", "-m", f"name={name}", *words)


def told(folder: Path, name: str) -> dict[str, Any]:
    """sweep.json: its jobs by what sets them apart."""
    found = json.loads((folder / "multirun_outputs" / name / "sweep.json").read_text("utf-8"))
    return {" ".join(job["changes"].values()): job for job in found["jobs"]}


def states(folder: Path, name: str) -> dict[str, str]:
    return {changes: job["state"] for changes, job in told(folder, name).items()}


def stamps(directory: Path) -> dict[str, int]:
    """When each file of completed runs was changed last."""
    runs = [path.parent for path in directory.rglob("summary.json")]
    return {str(path): path.stat().st_mtime_ns for run in runs for path in run.rglob("*") if path.is_file()}


@pytest.mark.thorough
@pytest.mark.fault("W1")
def test_one_of_six_jobs_raises(qaexp: Commands) -> None:
    launchers = [(), *((f"hydra/launcher={name}",) for name in LAUNCHERS)]
    for launcher in launchers:
        name = launcher[0].partition("=")[2] if launcher else "local"
        words = [*(WORDS if not launcher else WORDS[:-1]), *launcher, SIX]
        (qaexp.folder / planted.SWITCH).touch()
        done = qaexp.refused(10, "train", "-m", f"name={name}", *words, last=("1 of 6 jobs failed", "planted"))
        assert list(states(qaexp.folder, name).values()) == ["completed"] * 5 + ["failed"]
        failed = qaexp.folder / "multirun_outputs" / name / told(qaexp.folder, name)["raise"]["path"]
        assert str(failed.relative_to(qaexp.folder)) in done.out
        assert "RuntimeError: planted" in (failed / "debug.log").read_text("utf-8")
        if launcher and not THOROUGH:
            continue
        # The same command runs what failed, and nothing else.
        before = stamps(qaexp.folder / "multirun_outputs" / name)
        (qaexp.folder / planted.SWITCH).unlink()
        again = sweep(qaexp.folder, name, *words)
        assert again.code == 0, again.err
        assert "6 jobs: 5 to reuse, 1 to retry" in again.out
        assert set(states(qaexp.folder, name).values()) == {"completed"}
        after = stamps(qaexp.folder / "multirun_outputs" / name)
        assert {path: after[path] for path in before} == before
        assert sweep(qaexp.folder, name, *words).code == 0
        assert stamps(qaexp.folder / "multirun_outputs" / name) == after


@pytest.mark.thorough
@pytest.mark.fault("W2")
def test_a_job_that_ends_in_any_way_costs_no_other(qaexp: Commands) -> None:
    ways = [way for way in planted.HARM if way != "hang"]
    (qaexp.folder / planted.SWITCH).touch()
    for launcher in ("local", *(LAUNCHERS if THOROUGH else LAUNCHERS[:1])):
        words = [*(WORDS if launcher == "local" else (*WORDS[:-1], f"hydra/launcher={launcher}"))]
        swept = f"+optimizer.how=first,{','.join(ways)},last"
        done = sweep(qaexp.folder, launcher, *words, swept)
        assert done.code == 10, done.err
        assert "Traceback" not in done.err
        found = told(qaexp.folder, launcher)
        assert {way: job["state"] for way, job in found.items()} == {
            "first": "completed",
            "last": "completed",
            **dict.fromkeys(ways, "failed"),
        }
        for way in ways:
            assert found[way]["error"]["message"], way
            folder = qaexp.folder / "multirun_outputs" / launcher / found[way]["path"]
            assert tiny_run.read_json(folder / "run.json")["state"] == "failed", way
        assert "SIGKILL" in found["kill"]["error"]["message"]
        assert "SIGSEGV" in found["segfault"]["error"]["message"]
        assert "sys.exit(0)" in found["exit0"]["error"]["message"] or "0" in found["exit0"]["error"]["message"]
        crashed = qaexp.folder / "multirun_outputs" / launcher / found["segfault"]["path"]
        assert "planted.py" in (crashed / "output.log").read_text("utf-8")


@pytest.mark.fault("W3")
def test_jobs_that_fail_alike_are_told_once_and_can_end_the_sweep(qaexp: Commands) -> None:
    (qaexp.folder / planted.SWITCH).touch()
    words = [*WORDS[:-1], "+optimizer.how=raise", "seed=0,1,2,3,4,5"]
    done = sweep(qaexp.folder, "all", *words)
    assert done.code == 10
    assert done.err.count("planted") == 1
    assert "6 of 6 jobs failed" in done.last_line
    stopped = sweep(qaexp.folder, "some", *words, "sweep.on_failure=stop_after:2")
    assert stopped.code == 10
    assert list(states(qaexp.folder, "some").values()) == ["failed"] * 2 + ["planned"] * 4
    assert "4 of 6 jobs were not run" in stopped.last_line


@pytest.mark.thorough
@pytest.mark.fault("W4")
def test_a_sweep_that_is_killed_goes_on(qaexp: Commands) -> None:
    words = [*WORDS[:-1], "trainer.epochs=3", "trainer.checkpoint_every=1", "seed=0,1,2"]
    assert sweep(qaexp.folder, "reference", *words).code == 0
    process = start(qaexp.folder, "killed", *words)
    directory = qaexp.folder / "multirun_outputs" / "killed"
    wait_until(lambda: any(directory.glob("*seed=1*/checkpoints/step-*")))
    process.kill()
    process.communicate()
    # The child of the killed process stops at a step's border, with a checkpoint.
    again = sweep_when_free(qaexp.folder, "killed", *words)
    assert again.code == 0, again.err
    assert "reuse" in again.out
    for job in told(qaexp.folder, "killed").values():
        reference = next((qaexp.folder / "multirun_outputs" / "reference").glob(f"*-{job['run_id']}"))
        assert drill.fingerprints(directory / job["path"]) == drill.fingerprints(reference)
        assert drill.steps_once(directory / job["path"])


@pytest.mark.thorough
@pytest.mark.fault("W5")
def test_a_job_that_hangs_is_stopped(qaexp: Commands) -> None:
    (qaexp.folder / planted.SWITCH).touch()
    limits = ("hydra.launcher.timeout_seconds=8", "hydra.launcher.grace_seconds=2")
    done = sweep(qaexp.folder, "hang", *WORDS, *limits, "+optimizer.how=a,hang")
    assert done.code == 10
    found = told(qaexp.folder, "hang")
    assert found["a"]["state"] == "completed"
    assert found["hang"]["error"]["kind"] == "timeout"
    folder = qaexp.folder / "multirun_outputs" / "hang" / found["hang"]["path"]
    assert tiny_run.read_json(folder / "run.json")["state"] == "failed"


@pytest.mark.fault("W6")
def test_a_changed_sweep_runs_only_what_is_new(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(qaexp.folder / "train.json", 12, 4), tiny_run.write_squad(qaexp.folder / "dev.json", 6, 2)
    )
    words = [*tiny_run.FILES, *files, "trainer.epochs=1"]
    assert sweep(qaexp.folder, "s", *words, "seed=0,1").code == 0
    before = stamps(qaexp.folder / "multirun_outputs")
    done = sweep(qaexp.folder, "s", *words, "seed=2,1,0")
    assert "3 jobs: 1 to run, 2 to reuse" in done.out
    assert {
        path: stamp for path, stamp in stamps(qaexp.folder / "multirun_outputs").items() if path in before
    } == before
    # Other data under the same name: other runs, and the old ones are told apart.
    tiny_run.write_squad(qaexp.folder / "train.json", 13, 4)
    done = sweep(qaexp.folder, "s", *words, "seed=0,1")
    assert done.code == 0, done.err
    assert "2 jobs: 2 to run" in done.out
    assert "3 other runs stand here" in done.out
    groups = tiny_run.read_json(qaexp.folder / "multirun_outputs" / "s" / "sweep.json")["groups"]
    assert sorted(group["n"] for group in groups) == [2, 3]
    monkeypatch.setattr("qaexp.sweeps.plan.code_hash", lambda: "changed")
    done = sweep(qaexp.folder, "s", *words, "seed=0,1")
    assert done.out.count("made by another version of qaexp's code") == 2


@pytest.mark.thorough
@pytest.mark.fault("W7")
def test_two_starts_of_a_sweep_run_no_job_twice(qaexp: Commands) -> None:
    words = [*WORDS[:-1], "trainer.epochs=2", "seed=0,1,2"]
    both = [start(qaexp.folder, "twice", *words) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 0], [0, 4]), said
    for job in told(qaexp.folder, "twice").values():
        record = tiny_run.read_json(qaexp.folder / "multirun_outputs" / "twice" / job["path"] / "run.json")
        assert (record["state"], record["attempt"]) == ("completed", 1)


@pytest.mark.fault("W9")
def test_a_wrong_job_starts_none(qaexp: Commands) -> None:
    for wrong in ("optimizer.lr=1e-3,abc", "optimizer.lr=1e-3,-1", "seed=0 features.max_length=64,100000"):
        qaexp.refused(2, "train", "-m", "name=w", *WORDS, *wrong.split())
        assert not (qaexp.folder / "multirun_outputs").exists()
    missing = ("data=json", "data.train_file=no.json", "data.dev_file=no.json", "batches=fixed")
    qaexp.refused(2, "train", "-m", "name=w", *tiny_run.MODEL, *missing, "seed=0,1", says=("no.json",))
    qaexp.refused(2, "train", "-m", "name=a,b", *WORDS, says=("name",))
    qaexp.refused(2, "train", "-m", "name=w", *WORDS, "seed=0,1", "sweep.on_failure=stop", says=("sweep.on_failure",))
    qaexp.refused(2, "train", "-m", "name=w", *WORDS[:-1], "seed=0,1", "hydra.launcher.jobs=0", says=("jobs",))
    assert not (qaexp.folder / "multirun_outputs").exists()


@pytest.mark.fault("T5")
def test_a_cuda_error_ends_one_job(qaexp: Commands) -> None:
    (qaexp.folder / planted.SWITCH).touch()
    done = sweep(qaexp.folder, "gpu", *WORDS[:-1], "+optimizer.how=cuda,a")
    assert done.code == 10
    found = told(qaexp.folder, "gpu")
    assert (found["cuda"]["state"], found["a"]["state"]) == ("failed", "completed")
    assert "device-side assert" in found["cuda"]["error"]["message"]
    pids = [
        tiny_run.read_json(qaexp.folder / "multirun_outputs" / "gpu" / job["path"] / "run.json")["pid"]
        for job in found.values()
    ]
    assert len(set(pids)) == 2


def start(folder: Path, name: str, *words: str, own_group: bool = False) -> subprocess.Popen[str]:
    """Start a sweep as a command of its own, and in a group of processes of its own where that is asked for."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "qaexp", "train", "-m", f"name={name}", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0 if own_group else None,
    )


def sweep_when_free(folder: Path, name: str, *words: str) -> tiny_run.Called:
    """Start a sweep again; jobs of a killed one may still be storing what they did."""
    deadline = time.monotonic() + 60
    while (done := sweep(folder, name, *words)).code == 4 and time.monotonic() < deadline:
        time.sleep(0.5)
    return done


def wait_until(holds: Any, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
