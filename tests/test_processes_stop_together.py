"""Two processes of one run: a signal to one of them stops both after the same step, and they go on together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.fixtures import drill, tiny_run

WORDS = (*tiny_run.MODEL, "data.train_size=300", "data.dev_size=16", "trainer.epochs=4", "threads=1")
_SECONDS = 240.0


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "GLOO_SOCKET_IFNAME": "lo",
        "QAEXP_CACHE_DIR": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "qaexp", "train", f"name={name}", *WORDS]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0, errors[-3000:]


def wait_for_steps(directory: Path, number: int) -> None:
    """Wait until so many steps were recorded."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        metrics = directory / "metrics.jsonl"
        if metrics.exists() and metrics.read_text().count("\n") >= number:
            return
        time.sleep(0.02)
    pytest.fail("the run recorded nothing")


@pytest.mark.slow
def test_both_stop_after_the_same_step_and_go_on(tmp_path: Path) -> None:
    finish(start(tmp_path, "alone"))
    process, directory = start(tmp_path, "stopped"), tmp_path / "outputs" / "stopped"
    wait_for_steps(directory, 5)
    os.kill(json.loads((directory / "run.json").read_text())["pid"], signal.SIGTERM)
    process.communicate(timeout=_SECONDS)
    assert process.returncode != 0
    record = json.loads((directory / "run.json").read_text())
    assert record["state"] == "preempted"
    assert 5 <= record["checkpoint_step"] < record["total_steps"]
    finish(start(tmp_path, "stopped"))
    assert drill.steps_once(directory)
    assert drill.fingerprints(directory) == drill.fingerprints(tmp_path / "outputs" / "alone")
