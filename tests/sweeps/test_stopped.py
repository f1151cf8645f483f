"""A sweep that is asked to stop: its jobs store what they did, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.faults.test_sweeps import start, states, wait_until
from tests.fixtures import drill, tiny_run

WORDS = (
    *tiny_run.MODEL,
    "data.train_size=30",
    "data.dev_size=8",
    "trainer.epochs=20",
    "trainer.checkpoint_every=1",
    "seed=0,1",
    "threads=1",
)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 75, id="SIGTERM", marks=pytest.mark.thorough),
    ],
)
def test_a_signal_stops_the_jobs_with_their_checkpoints(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(tmp_path, "s", *WORDS)
    sweep = tmp_path / "multirun_outputs" / "s"
    wait_until(lambda: any(sweep.glob("seed=0-*/checkpoints/step-*")))
    process.send_signal(number)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == code, said
    assert "the same command continues" in said
    assert "Traceback" not in said
    assert states(tmp_path, "s") == {"0": "preempted", "1": "planned"}
    (first,) = sweep.glob("seed=0-*")
    assert tiny_run.read_json(first / "run.json")["error"]["message"] == "stopped with the sweep"
    stopped_at = tiny_run.read_json(first / "run.json")["checkpoint_step"]
    again = tiny_run.call(tmp_path, "train", "-m", "name=s", *WORDS)
    assert again.code == 0, again.err
    assert "1 to resume, 1 to run" in again.out
    assert tiny_run.read_json(first / "run.json")["resumed_step"] == stopped_at
    if number == signal.SIGINT:
        alone = tiny_run.train(tmp_path, "alone", *WORDS[:-2], "threads=1")
        assert drill.fingerprints(first) == drill.fingerprints(alone)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_all_processes_stops_the_jobs_too(tmp_path: Path, number: signal.Signals) -> None:
    """As batch systems send it, in whatever session a process is: the server that has the exit codes of the jobs lives
    on, or they would count as dead while they store what they did.
    """
    process = start(tmp_path, "s", *WORDS, own_group=True)
    sweep = tmp_path / "multirun_outputs" / "s"
    wait_until(lambda: any(sweep.glob("seed=0-*/checkpoints/step-*")))
    for pid in all_below(process.pid):
        os.kill(pid, number)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 75, said
    assert states(tmp_path, "s") == {"0": "preempted", "1": "planned"}
    assert "no reason is known" not in said
    rows = {row["path"]: row["state"] for row in tiny_run.read_json(sweep / "sweep.json")["jobs"]}
    assert sorted(rows.values()) == ["planned", "preempted"]


def all_below(pid: int) -> list[int]:
    """A process, and all that it and its children have started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@pytest.fixture
def heard_sigint() -> Iterator[None]:
    """A child hears Ctrl-C even where these tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_sigint")
def test_ctrl_c_while_a_sweep_is_planned_is_one_sentence(tmp_path: Path) -> None:
    """The terminal gives the signal to every process: also to the server that is still importing."""
    command = [sys.executable, "-m", "qaexp", "train", "-m", "name=s", *WORDS]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "composing and checking 2 jobs ...\n"
    assert process.stdout.readline().startswith("qaexp")
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert said == "qaexp train: stopped by Ctrl-C\n"
