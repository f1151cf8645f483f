"""Two gloo processes give the training of one, also where memory runs out in one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.fixtures import two_processes, two_short_of_memory


def run_alone(folder: Path) -> dict:
    """Train in this process; what it told."""
    two_processes.main(folder)
    return json.loads((folder / "rank0.json").read_text())


def run_two(
    folder: Path, module: str = two_processes.__name__, variables: Mapping[str, str] = os.environ
) -> list[dict]:
    """Train with torchrun; what each rank told."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    path = variables.get("PYTHONPATH") or str(REPOSITORY)
    environment = {**variables, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo"}
    command += ["-m", module, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]


def numbers(told: dict, *, loss: bool) -> list:
    """The step records: their losses, or all that must be equal exactly."""
    names = ("loss", "grad_norm") if loss else ("step", "epoch", "num_tokens", "num_features", "learning_rate")
    return [[record[name] for name in names] for record in told["records"] if "loss" in record]


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path) -> None:
    alone, (first, second) = run_alone(tmp_path), run_two(tmp_path)
    assert (alone["world"], first["world"], second["rank"]) == (1, 2, 1)
    assert first["records"] == second["records"], "every rank tells the same"
    assert first["digest"] == second["digest"]
    assert first["counters"] == second["counters"]
    assert len(numbers(alone, loss=True)) == 20
    assert numbers(first, loss=False) == numbers(alone, loss=False)
    for ours, expected in zip(numbers(first, loss=True), numbers(alone, loss=True), strict=True):
        assert ours == pytest.approx(expected, abs=1e-5)
    due = [[record for record in told["records"] if "loss" not in record] for told in (alone, first)]
    for expected, ours in zip(*due, strict=True):
        assert ours["train_loss"] == pytest.approx(expected["train_loss"], abs=1e-5)
        assert ours["train_accuracy"] == expected["train_accuracy"]


@pytest.mark.slow
def test_both_cut_their_batches_when_memory_runs_out_in_one(tmp_path) -> None:
    alone, (first, second) = run_alone(tmp_path), run_two(tmp_path, two_short_of_memory.__name__)
    assert (first["counters"]["num_parts"], second["counters"]["num_parts"]) == (2, 2)
    assert first["digest"] == second["digest"]
    assert numbers(first, loss=False) == numbers(alone, loss=False)
    for ours, expected in zip(numbers(first, loss=True), numbers(alone, loss=True), strict=True):
        assert ours == pytest.approx(expected, abs=1e-5)
