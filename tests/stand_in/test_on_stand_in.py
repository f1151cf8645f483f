"""The tests of tests/gpu, commands and two processes on the stand-in, each in a process that has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.fixtures import tiny_run
from tests.stand_in import environment
from tests.training.test_processes import numbers, run_alone, run_two

TESTS = REPOSITORY / "tests"
ON_DEVICE = (*sorted((TESTS / "gpu").glob("test_*.py")), TESTS / "stand_in" / "test_device.py")
# What only a real GPU can show.
SKIPPED = {"test_device_matches_cpu.py": 1}
WORDS = (*tiny_run.MODEL, "trainer.device=auto", "data.train_size=24", "data.dev_size=16", "trainer.epochs=1")


@pytest.mark.parametrize("file", ON_DEVICE, ids=lambda path: path.name)
def test_what_a_gpu_must_do_the_stand_in_does(file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(file)]
    command += [f"--junit-xml={report}", f"--basetemp={tmp_path / 'work'}"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    last = done.stdout.strip().splitlines()[-1]
    skipped = SKIPPED.get(file.name, 0)
    assert (f", {skipped} skipped" in last) if skipped else ("skipped" not in last), last


def qaexp(folder: Path, *words: str, mib: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run `qaexp WORDS` in a process that has the stand-in."""
    variables = {**environment(mib=mib), "QAEXP_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "qaexp", *words]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_a_device_with_too_little_memory_ends_a_run_with_its_code_and_its_numbers(tmp_path: Path) -> None:
    done = qaexp(tmp_path, "train", "name=small", *WORDS, mib=1)
    assert done.returncode == 7, done.stderr
    assert "step 1 does not fit into the memory of sim" in done.stderr
    assert "The device has a total capacity of 1.00 MiB" in done.stderr
    record = tiny_run.read_json(tmp_path / "outputs" / "small" / "run.json")
    assert record["state"] == "failed"
    assert "does not fit into the memory of sim" in record["error"]["message"]


@pytest.mark.thorough
def test_jobs_of_a_sweep_train_on_it(tmp_path: Path) -> None:
    done = qaexp(tmp_path, "train", "-m", "name=swept", "seed=0,1", *WORDS)
    assert done.returncode == 0, done.stderr
    envs = [tiny_run.read_json(path) for path in tmp_path.rglob("env.json")]
    assert [env["device"]["device"] for env in envs] == ["sim", "sim"]


def test_two_processes_train_on_it_as_one_on_the_cpu(tmp_path: Path) -> None:
    alone, (first, second) = run_alone(tmp_path), run_two(tmp_path, "tests.stand_in.two_on_it", environment())
    assert (first["device"], first["world"], second["rank"]) == ("sim", 2, 1)
    assert first["records"] == second["records"]
    assert first["digest"] == second["digest"]
    assert numbers(first, loss=False) == numbers(alone, loss=False)
    for ours, expected in zip(numbers(first, loss=True), numbers(alone, loss=True), strict=True):
        assert ours == pytest.approx(expected, abs=1e-5)
    for rank in range(2):
        waits = json.loads((tmp_path / f"traffic{rank}.json").read_text())["waits"]
        # torch agrees on the buckets of gradients once, after the first step.
        in_steps = {place: number for place, number in waits.items() if "training/step.py" in place}
        assert sum(in_steps.values()) <= 4, in_steps
