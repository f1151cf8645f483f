"""A real Slurm on this machine for the drills, and sweeps that are started on it as a user starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import REPOSITORY
from tests.fixtures import tiny_run

CLUSTER = Path(__file__).parent / "cluster"
SECONDS = 300.0


class Slurm:
    """A Slurm, by the variables under which its programs find it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *words: str) -> str:
        """Call one of its programs; returns what it prints."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True).stdout

    def tasks(self) -> dict[str, str]:
        """The jobs in the queue, `12_0`, and their states."""
        lines = self("squeue", "-h", "-r", "-o", "%i %T").split("\n")
        return dict(tuple(line.split()) for line in lines if line)  # type: ignore[misc]

    def is_empty(self) -> bool:
        return not self.tasks()

    def settle(self) -> None:
        """Take everything back that a drill has done."""
        subprocess.run(["scancel", "--full", "--user=" + os.environ.get("USER", "root")], env=self.environment)
        for node in ("n1", "n2"):
            subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], env=self.environment)
        until(self.is_empty)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Start it, with the packages that it needs; where they cannot be had, the drills are skipped."""
    folder = tmp_path_factory.mktemp("slurm")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    environment = {**plain, "SLURM_TEST_DIR": str(folder), "SLURM_TEST_PORT": str(20_000 + os.getpid() % 2_000 * 5)}
    started = subprocess.run(
        [CLUSTER / "start", "--no-accounting"], env=environment, capture_output=True, text=True, timeout=900
    )
    if started.returncode:
        pytest.skip(f"needs a Slurm on this machine (tests/slurm/cluster/README.md): {started.stderr.strip()[-300:]}")
    conf = re.search(r"SLURM_CONF=(\S+)", started.stdout)
    assert conf is not None
    yield Slurm({**environment, "SLURM_CONF": conf[1], "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})
    subprocess.run([CLUSTER / "stop", "--purge"], env=environment, timeout=120)


@pytest.fixture
def slurm(cluster: Slurm) -> Iterator[Slurm]:
    """The cluster, with nothing in its queue before and after."""
    cluster.settle()
    yield cluster
    cluster.settle()


class Sweep:
    """A sweep of two workers and four jobs that its own command runs on Slurm."""

    def __init__(self, folder: Path, slurm: Slurm) -> None:
        self.folder, self.directory, self._slurm = folder, folder / "multirun_outputs" / "s", slurm
        self.environment = {
            **slurm.environment,
            "PYTHONPATH": str(REPOSITORY),
            "QAEXP_CACHE_DIR": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start its command; jobs are long enough to be struck, and store a checkpoint every few steps."""
        command = [
            *(sys.executable, "-m", "qaexp", "train", "-m", "name=s", "hydra/launcher=slurm"),
            *("hydra.launcher.workers=2", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"),
            *(*tiny_run.MODEL, "data.train_size=60", "data.dev_size=8", "trainer.epochs=20"),
            *("trainer.checkpoint_every=4", "trainer.eval_every=160", "optimizer.lr=1e-4,3e-4", "seed=0,1", *words),
        ]
        with (self.folder / "out").open("a") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], code: int) -> str:
        """Wait for the command; returns what it and those before it printed."""
        found = process.wait(SECONDS)
        said = (self.folder / "out").read_text()
        logs = "\n".join(path.read_text() for path in self.directory.glob(".work/slurm/*.log"))
        assert found == code, f"{said}\n{logs}"
        return said

    def run(self) -> str:
        """Run the command to its end, which must be a good one."""
        return self.end(self.start(), 0)

    def runs(self) -> list[Path]:
        return sorted(self.directory.glob("optimizer*"))

    def stored(self) -> list[Path]:
        """The runs that have a checkpoint."""
        return [run for run in self.runs() if any(run.glob("checkpoints/step-*"))]

    def records(self) -> list[dict[str, Any]]:
        return [tiny_run.read_json(run / "run.json") for run in self.runs() if (run / "run.json").is_file()]

    def states(self) -> list[str]:
        """The states of the four jobs as sweep.json tells them."""
        return sorted(str(row["state"]) for row in tiny_run.read_json(self.directory / "sweep.json")["jobs"])

    def workers(self) -> dict[str, int]:
        """The processes of its workers, by their job in the queue."""
        found = [tiny_run.read_json(path) for path in self.directory.glob(".work/workers/*")]
        return {one["engine"].removeprefix("slurm "): one["pid"] for one in found if one.get("engine")}

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def sweep(tmp_path: Path, slurm: Slurm) -> Iterator[Sweep]:
    """A sweep that is not yet started."""
    found = Sweep(tmp_path, slurm)
    yield found
    found.close()


def until(is_true: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until something is so; machines are slow at times."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"{is_true} was not so within {seconds:.0f} s"
        time.sleep(0.2)
