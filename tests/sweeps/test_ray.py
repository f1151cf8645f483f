"""`hydra/launcher=ray`: a sweep on a cluster of several nodes, and what may happen to its workers and nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import REPOSITORY
from tests.faults.test_sweeps import wait_until
from tests.fixtures import drill, tiny_run

ray = pytest.importorskip("ray", reason="needs Ray: pip install -e '.[ray]'")

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "threads=1")
LONG = (*WORDS, "trainer.epochs=60", "trainer.checkpoint_every=2", "trainer.eval_every=1000")
UNSEEN = "unseen"
SECONDS = 240.0


class Nodes:
    """A cluster: a head without cores, two nodes that see the tests' folders, and one that sees none of `hidden`."""

    def __init__(self, cluster: Any, hidden: Path, elsewhere: Path) -> None:
        self._cluster, self.address = cluster, cluster.address
        self.hidden, self.elsewhere = hidden, elsewhere
        self._nodes = [cluster.add_node(num_cpus=1, resources={"seen": 1}) for _ in range(2)]
        path = os.pathsep.join([str(REPOSITORY / "tests" / "fixtures" / "unseen"), str(REPOSITORY)])
        environment = {"TEST_UNSEEN": str(hidden), "PYTHONPATH": path, "TMPDIR": str(elsewhere)}
        cluster.add_node(num_cpus=1, resources={UNSEEN: 1}, env_vars=environment)

    def kill_worker(self) -> None:
        """The worker of the first node that has a job dies."""
        raylet = self._nodes[0].all_processes["raylet"][0].process.pid
        found = subprocess.run(
            ["pgrep", "-P", str(raylet), "-f", "ray::do"], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout), signal.SIGKILL)

    def kill_node(self) -> None:
        """The second one dies with all that runs on it."""
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_health_check_period_ms", "500")
        patch.setenv("OMP_NUM_THREADS", "1")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            yield Nodes(cluster, tmp_path_factory.mktemp("hidden"), tmp_path_factory.mktemp("elsewhere"))
        finally:
            cluster.shutdown()


class Sweep:
    """A sweep `s` in a folder, and the processes of its command."""

    def __init__(self, folder: Path, nodes: Nodes, kind: str = "seen") -> None:
        self.folder, self.directory = folder, folder / "multirun_outputs" / "s"
        self._words = (
            *("train", "-m", "name=s", "hydra/launcher=ray", f"hydra.launcher.address={nodes.address}"),
            f"+hydra.launcher.ray.remote.resources.{kind}=1",
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return self.process(*self._words, *words)

    def process(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "qaexp", *words],
            cwd=self.folder,
            env={**os.environ, "QAEXP_CACHE_DIR": str(self.folder / "cache"), "COLUMNS": "300"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def runs(self) -> list[Path]:
        return sorted(self.directory.glob("*-????????"))

    def records(self) -> list[dict[str, Any]]:
        return [tiny_run.read_json(run / "run.json") for run in self.runs()]

    def has_checkpoints(self, number: int) -> bool:
        return sum(any(run.glob("checkpoints/step-*")) for run in self.runs()) == number


def end(process: subprocess.Popen[str], code: int) -> str:
    """Wait for the end of a command, which prints nothing but qaexp's own lines; returns them."""
    said = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == code, said
    assert "raylet" not in said
    assert "WARNING" not in said
    return said


def test_stopped_with_checkpoints_resumed_and_reused(tmp_path: Path, nodes: Nodes) -> None:
    sweep = Sweep(tmp_path, nodes)
    process = sweep.start(*LONG, "seed=0,1")
    wait_until(lambda: sweep.has_checkpoints(2))
    os.killpg(process.pid, signal.SIGINT)
    assert end(process, 130).count("stopped with the sweep") == 2
    assert [record["state"] for record in sweep.records()] == ["preempted"] * 2
    said = end(sweep.process("resume", str(sweep.directory)), 0)
    assert said.count(": completed after") == 2
    assert all(record["attempt"] == 2 and record["resumed_step"] > 0 for record in sweep.records())
    alone = tiny_run.train(tmp_path, "alone", *LONG, "seed=0")
    assert drill.fingerprints(sweep.runs()[0]) == drill.fingerprints(alone)
    assert "2 to reuse" in tiny_run.call(tmp_path, *sweep._words, *LONG, "seed=0,1").out


def test_a_worker_and_a_node_that_die_cost_their_jobs_a_try(tmp_path: Path, nodes: Nodes) -> None:
    sweep = Sweep(tmp_path, nodes)
    process = sweep.start(*LONG, "seed=0,1")
    wait_until(lambda: sweep.has_checkpoints(2))
    nodes.kill_worker()
    nodes.kill_node()
    said = end(process, 0)
    assert "the process of its worker died; it goes on after its last checkpoint (try 2 of 3)" in said
    assert said.count("it goes on after its last checkpoint") == 2
    assert [record["attempt"] for record in sweep.records()] == [2, 2]
    assert all(record["resumed_step"] for record in sweep.records())


def test_folders_of_a_node_that_sees_none_come_back(nodes: Nodes) -> None:
    sweep = Sweep(nodes.hidden, nodes, UNSEEN)
    process = sweep.start(*LONG, "seed=0")
    wait_until(lambda: any(nodes.elsewhere.glob("qaexp-ray-*/*/checkpoints/step-*")))
    assert not sweep.runs()
    os.killpg(process.pid, signal.SIGINT)
    end(process, 130)
    assert sweep.has_checkpoints(1)
    assert not any(nodes.elsewhere.glob("qaexp-ray-*"))
    end(sweep.start(*LONG, "seed=0"), 0)
    (record,) = sweep.records()
    assert (record["attempt"], record["resumed_step"] > 0) == (2, True)
    assert tiny_run.call(nodes.hidden, "verify", str(sweep.runs()[0])).code == 0
    files = tiny_run.files_of(
        tiny_run.write_squad(nodes.hidden / "train.json", 8, 4), tiny_run.write_squad(nodes.hidden / "dev.json", 4, 2)
    )
    said = sweep.start(*tiny_run.FILES, *files, "trainer.epochs=1", "seed=7").communicate(timeout=SECONDS)[0]
    assert f"{nodes.hidden / 'train.json'}" in said
    assert "1 of 1 job failed" in said
