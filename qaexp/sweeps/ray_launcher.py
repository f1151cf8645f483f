"""`hydra/launcher=ray`: each job as a task of Ray, on a cluster that is there or on one of this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qaexp.runs.claims import WORK
from qaexp.storage.folders import make_directory
from qaexp.sweeps.launcher import num_cores
from qaexp.sweeps.launching import JobLauncher, Work
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.queue import shared
from qaexp.sweeps.ray_cluster import Cluster, check_there
from qaexp.sweeps.ray_jobs import RayJobs
from qaexp.sweeps.ray_keys import read_keys
from qaexp.sweeps.watcher import Watcher


class RayLauncher(JobLauncher):
    """Runs the jobs of a sweep on the nodes of a cluster of Ray, and keeps the claims on them while it does."""

    name = "ray"

    def __init__(
        self,
        address: str | None = None,
        num_cpus: int = 1,
        num_gpus: float = 0,
        memory_gb: float | None = None,
        jobs: int | None = None,
        timeout_seconds: float | None = None,
        grace_seconds: float = 60.0,
        ray: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the keys of `hydra.launcher`.

        Args:
            address: `auto`, `host:port` or `ray://host:port` of a cluster; None: one of this machine alone, which
                begins and ends with the sweep.
            num_cpus: Cores of a job, and its threads.
            num_gpus: GPUs of a job; a part of one shares it.
            memory_gb: Memory of a job, GiB; None: none is asked for.
            jobs: Jobs at a time at most; None: what the cluster has room for, which is looked up as it grows.
            timeout_seconds: A job that takes longer is stopped with a checkpoint and counts as failed; None: never.
            grace_seconds: A job that has not stopped after that is killed.
            ray: The keys of hydra-ray-launcher: `init` and `remote`.

        Raises:
            ConfigError: With all that is wrong, or Ray or its cluster is not there.
        """
        own = {
            "address": address,
            "num_cpus": num_cpus,
            "num_gpus": num_gpus,
            "memory_gb": memory_gb,
            "jobs": jobs,
            "timeout_seconds": timeout_seconds,
            "grace_seconds": grace_seconds,
        }
        theirs = _plain(ray or {})
        self._keys = read_keys(own, theirs)
        self._settings = {**own, "ray": theirs}
        check_there(self._keys)
        self._cluster: Cluster | None = None

    @property
    def is_here(self) -> bool:
        """A cluster that is there may have other machines."""
        return self._keys.address is None

    @property
    def settings(self) -> dict[str, Any]:
        """Its keywords."""
        return self._settings

    def at_once(self, num_gpus: int, processes: int = 1) -> int:
        """As many as are asked for, or as there are cores for; of a cluster that is there nothing is known yet."""
        if self._keys.jobs is not None:
            return self._keys.jobs
        return max(1, num_cores() // self._keys.num_cpus) if self.is_here else 1

    def threads(self, num_gpus: int, processes: int = 1) -> int:
        """The cores of a job."""
        return self._keys.num_cpus

    def run(self, work: Work, watcher: Watcher) -> Mapping[str, Outcome]:
        """Run planned jobs as tasks; see `RayJobs.run`."""
        if self._cluster is None:
            make_directory(work.sweep / WORK)
            self._cluster = Cluster(self._keys, work.sweep / WORK)
        with shared(work.sweep, work.jobs, work.policy, work.about, limit=work.limit) as queue:
            here = RayJobs(self._cluster, self._keys, work, queue, watcher).run()
        return {**queue.outcomes, **here}

    def close(self) -> None:
        """Leave the cluster."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None


def _plain(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node of the config as plan.json takes it."""
    return {str(key): _plain(value) if isinstance(value, Mapping) else value for key, value in node.items()}
