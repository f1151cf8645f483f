"""`hydra/launcher=ray` without Ray: its keys, what is told before anything is planned, and jobs whose workers die."""

from __future__ import annotations

import importlib.util
import io
import socket
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError, IntegrityError
from qaexp.storage.store import Store
from qaexp.sweeps import bodies, ranks, ray_task
from qaexp.sweeps.job import Job
from qaexp.sweeps.launching import Work
from qaexp.sweeps.outcome import COMPLETED, FAILED, Outcome
from qaexp.sweeps.parcel import pack, unpack
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.pool import PoolSettings
from qaexp.sweeps.queue import shared
from qaexp.sweeps.ray_cluster import check_there
from qaexp.sweeps.ray_jobs import MAX_TRIES, RayJobs
from qaexp.sweeps.ray_keys import RayKeys, read_keys
from qaexp.sweeps.ray_launcher import RayLauncher
from qaexp.sweeps.ray_task import Errand, Told
from qaexp.sweeps.watcher import Nobody
from tests.fixtures import stores, tiny_run

OWN = {
    "address": None,
    "num_cpus": 1,
    "num_gpus": 0,
    "memory_gb": None,
    "jobs": None,
    "timeout_seconds": None,
    "grace_seconds": 60.0,
}


def test_keys_of_hydra_ray_launcher_mean_the_same() -> None:
    theirs = {"init": {"address": None, "num_cpus": 8}, "remote": {"num_cpus": 2, "num_gpus": 0.5, "memory": 2**31}}
    keys = read_keys(OWN, theirs)
    assert keys == RayKeys(num_cpus=2, num_gpus=0.5, memory_gb=2.0, machine={"num_cpus": 8})
    assert keys.options == {"num_cpus": 2, "num_gpus": 0.5, "memory": 2**31}
    assert keys.needed == {"CPU": 2, "GPU": 0.5, "memory": 2**31}
    assert read_keys(OWN, {"init": {"address": "h:1"}, "remote": {"resources": {"a": 1}}}).options["resources"] == {
        "a": 1
    }


@pytest.mark.parametrize(
    ("own", "theirs", "says"),
    [
        ({"num_cpus": 0.5}, {}, "hydra.launcher.num_cpus=0.5: must be a whole number from 1 on; set"),
        ({"jobs": 0}, {}, "hydra.launcher.jobs=0: must be a whole number from 1 on, or null"),
        ({"num_gpus": 1.5}, {}, "hydra.launcher.num_gpus=1.5"),
        ({"memory_gb": -1}, {}, "hydra.launcher.memory_gb=-1"),
        ({"grace_seconds": None}, {}, "hydra.launcher.grace_seconds=None: must be a number above 0; set"),
        ({"address": 3}, {}, "hydra.launcher.address=3"),
        (
            {},
            {"remote": {"max_retries": 3}},
            r"ray.remote.max_retries=3: a job whose worker or node dies is tried again",
        ),
        ({}, {"init": {"runtime_env": {"pip": ["a"]}}}, "ray.init.runtime_env=.*install the same qaexp on each"),
        ({}, {"init": {"unheard_of": 1}}, "ray.init.unheard_of=1: has no meaning for qaexp; leave it out"),
        ({}, {"cluster": {"name": "x"}}, "ray.cluster.name=x: has no meaning"),
        ({"address": "auto"}, {"init": {"num_cpus": 2}}, "ray.init.num_cpus: the cluster at auto has its size already"),
        ({}, {"init": {"num_cpus": "many"}}, "ray.init.num_cpus=many: must be a whole number"),
        ({}, {"remote": {"resources": {"a": 0}}}, "ray.remote.resources"),
    ],
)
def test_keys_that_cannot_be(own: dict[str, Any], theirs: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_keys({**OWN, **own}, theirs)


def test_ray_that_is_not_installed_is_told_before_anything_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else find(name, *more))
    done = tiny_run.call(tmp_path, "train", "-m", "hydra/launcher=ray", "name=s", *tiny_run.DEMO, "seed=0,1")
    assert (done.code, "pip install 'qaexp[ray]'" in done.last_line) == (2, True), done.err
    assert not (tmp_path / "multirun_outputs").exists()


def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin="ray/__init__.py"))


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_does_not_answer(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = form.format(server.getsockname()[1])
        with pytest.raises(ConfigError, match="no cluster of Ray answers there"):
            check_there(RayKeys(address=address))
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConfigError, match=f"{address}: no cluster of Ray answers there"):
            check_there(RayKeys(address="auto"))
        server.listen()
        check_there(RayKeys(address=address))
    with pytest.raises(ConfigError, match="is no address"):
        check_there(RayKeys(address="somewhere"))


def test_more_cores_than_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    with pytest.raises(ConfigError, match="num_cpus=100000: this machine has"):
        check_there(RayKeys(num_cpus=100_000))


def test_the_settings_make_the_same_launcher_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    one = RayLauncher(jobs=3, ray={"init": {}, "remote": {"num_cpus": 1, "resources": {"a": 1}}})
    other = RayLauncher(**one.settings)
    assert other.settings == one.settings
    assert (other.at_once(0), other.threads(0), other.is_here) == (3, 1, True)


def test_a_folder_goes_along_without_links(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints" / "step-1").mkdir(parents=True)
    (run / "checkpoints" / "step-1" / "weights").write_bytes(bytes(range(256)) * 80_000)
    (run / "empty").touch()
    (run / ".lock").touch()
    (run / "link").symlink_to("/etc/passwd")
    pieces = pack(run, lambda piece: piece)
    assert len(pieces) == 3
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "older").touch()
    unpack(pieces, tmp_path / "there")
    found = {path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*")}
    assert found == {"checkpoints", "checkpoints/step-1", "checkpoints/step-1/weights", "empty"}
    weights = Path("checkpoints", "step-1", "weights")
    assert (tmp_path / "there" / weights).read_bytes() == (run / weights).read_bytes()


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", "link", "device"])
def test_what_no_run_folder_has_is_refused_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.TarFile(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(name)
        if name == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        if name == "device":
            info.type = tarfile.FIFOTYPE
        tar.addfile(info)
    with pytest.raises(IntegrityError, match="which no run has"):
        unpack([stream.getvalue()], tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IntegrityError, match="is no run folder"):
        unpack([b"x" * 1000], tmp_path / "run")


class RayTaskError(Exception):
    """As Ray's."""


class NodeDiedError(Exception):
    """As Ray's."""


class FakeRay:
    """Tasks that end at once, each as the next of `ends` says."""

    def __init__(self, ends: list[Told | Exception]) -> None:
        self._ends, self.num_sent, self.cancelled = ends, 0, [False]
        self.exceptions = SimpleNamespace(
            RayTaskError=RayTaskError, TaskCancelledError=KeyError, RayError=NodeDiedError
        )

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        assert options["max_retries"] == 0
        return lambda function: SimpleNamespace(remote=self._send)

    def _send(self, *words: Any) -> int:
        self.num_sent += 1
        return self.num_sent

    def wait(self, tasks: list[int], **_: Any) -> tuple[list[int], list[int]]:
        return tasks, []

    def get(self, task: int) -> Told:
        end = self._ends[task - 1]
        if isinstance(end, Exception):
            raise end
        return end

    def cancel(self, task: int, *, force: bool) -> None:
        self.cancelled.append(force)


def ended(folder: Path, ends: list[Told | Exception]) -> tuple[Outcome, FakeRay]:
    """How a job ends whose tasks end in these ways, one after the other."""
    ray = FakeRay(ends)
    cluster: Any = SimpleNamespace(ray=ray, room=lambda: 1, is_of_this_machine=True)
    job = Job((), ("seed=0",), ExperimentConfig(), sha256="a" * 64, directory=folder / "seed=0-aaaaaaaa")
    with shared(folder, [job], FailurePolicy()) as queue:
        work = Work(folder, [job], FailurePolicy())
        return RayJobs(cluster, RayKeys(), work, queue, Nobody()).run()[job.sha256], ray


def test_a_job_is_tried_again_so_often_and_no_oftener(tmp_path: Path) -> None:
    done = Told(Outcome(COMPLETED))
    outcome, ray = ended(tmp_path, [NodeDiedError("a"), NodeDiedError("a"), done])
    assert (outcome.state, ray.num_sent) == (COMPLETED, 3)
    outcome, ray = ended(tmp_path / "b", [NodeDiedError("a")] * MAX_TRIES)
    assert (outcome.state, outcome.kind, ray.num_sent) == (FAILED, "killed", MAX_TRIES)
    assert outcome.message.startswith(f"its node died, in the last of {MAX_TRIES} tries; see ")
    outcome, ray = ended(tmp_path / "c", [RayTaskError("No module named qaexp\nmore")])
    assert (outcome.state, ray.num_sent) == (FAILED, 1)
    assert "could not run it: RayTaskError: No module named qaexp" in outcome.message


def test_a_job_is_uploaded_from_the_sweeps_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a node does not see that one, the name of the folder that it trains in means nothing."""

    def run_here(job: Job, settings: PoolSettings) -> Outcome:
        assert settings.body is not None
        settings.body(job)
        return Outcome(COMPLETED)

    run_id = tiny_run.read_json(stores.completed(tmp_path / "first") / "run.json")["run_id"]
    monkeypatch.setattr(ray_task, "run_alone", run_here)
    monkeypatch.setattr(bodies, "identify", lambda *_: {"jobs": [{"sha256": "a" * 64}]})
    monkeypatch.setattr(ranks, "train_run", lambda _, folder, __: stores.completed(folder))
    monkeypatch.setattr(ray_task, "code_hash", lambda: "0")
    monkeypatch.setattr(ray_task.forks, "prepare", lambda _: None)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(put=lambda piece: piece))
    with stores.url_of("file", tmp_path) as url:
        config = replace(ExperimentConfig(), reporter=replace(ExperimentConfig().reporter, upload_to=url))
        folder = tmp_path / "s" / f"seed=0-{run_id}"
        job = Job((), ("seed=0",), config, sha256="a" * 64, directory=folder)
        errand = Errand(job, tmp_path / "s", "token", False, tmp_path, True, None, "0", False, None, 1.0)
        told = ray_task.do(errand)
        assert told.parcel is not None
        assert Store(url).sizes() == {}
        ray_task.mark(tmp_path / "s", "token")
        assert ray_task.do(errand).parcel is None
        assert f"s/{folder.name}/UPLOADED.json" in Store(url).sizes()
