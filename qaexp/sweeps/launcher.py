"""`hydra/launcher=local`: jobs as children of this process, several at a time, each with its share of the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from qaexp.errors import ConfigError
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.pool import PoolSettings, Watcher, run_jobs

AUTO = "auto"
_CORES_A_JOB = 4


class LocalLauncher(Launcher):
    """Runs the jobs of a sweep on this machine.

    Hydra asks for `launch`; our sweeper, which has composed the jobs already, calls `run`.
    """

    def __init__(self, jobs: int | str = 1, timeout_seconds: float | None = None, grace_seconds: float = 30.0) -> None:
        """Take the keys of `hydra.launcher`.

        Args:
            jobs: Jobs at a time; `auto`: one a GPU (or as many GPUs as a job has processes), and without GPUs one for
                every four cores.
            timeout_seconds: A job that takes longer is stopped with a checkpoint and counts as failed; None: never.
            grace_seconds: A job that has not stopped after that is killed.

        Raises:
            ConfigError: With all that is wrong.
        """
        problems = []
        if jobs != AUTO and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
            problems.append(f"hydra.launcher.jobs={jobs}: must be a whole number from 1 on, or auto; set it to one")
        for name, value in (("timeout_seconds", timeout_seconds), ("grace_seconds", grace_seconds)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
                problems.append(f"hydra.launcher.{name}={value}: must be a number of seconds above 0; set it to one")
        if problems:
            raise ConfigError(*problems)
        self._jobs, self._timeout_seconds, self._grace_seconds = jobs, timeout_seconds, grace_seconds

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing: all that is needed comes with the jobs."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Refuse: another sweeper than ours plans nothing."""
        raise ConfigError("hydra/launcher=local runs planned jobs; leave out hydra/sweeper=, or take another launcher")

    @property
    def settings(self) -> dict[str, Any]:
        """What plan.json keeps of it."""
        return {
            "jobs": self._jobs,
            "timeout_seconds": self._timeout_seconds,
            "grace_seconds": self._grace_seconds,
        }

    def at_once(self, num_gpus: int, processes: int = 1) -> int:
        """How many jobs run at a time.

        Args:
            num_gpus: How many GPUs there are.
            processes: Of a job; each takes a GPU, or a core at least.
        """
        if self._jobs == AUTO:
            return max(1, num_gpus // processes if num_gpus else num_cores() // max(_CORES_A_JOB, processes))
        return int(self._jobs)

    def run(
        self, jobs: Sequence[Job], watcher: Watcher, *, policy: FailurePolicy, num_gpus: int
    ) -> Mapping[str, Outcome]:
        """Run planned jobs; see `pool.run_jobs`."""
        processes = most_processes(jobs)
        at_once = self.at_once(num_gpus, processes)
        return run_jobs(
            with_threads(jobs, max(1, num_cores() // at_once)),
            PoolSettings(
                at_once=at_once,
                timeout_seconds=self._timeout_seconds,
                grace_seconds=self._grace_seconds,
                environments=visible_gpus(os.environ, num_gpus, processes),
                policy=policy,
            ),
            watcher,
        )


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def with_threads(jobs: Sequence[Job], threads: int) -> list[Job]:
    """Give jobs whose config says nothing of threads the same share of the cores, however many are left to run.

    Otherwise the last job of a sweep, or one that is run again, would compute with more threads and get other bits.
    """
    from dataclasses import replace

    return [
        job if job.config.threads is not None else replace(job, config=replace(job.config, threads=threads))
        for job in jobs
    ]


def most_processes(jobs: Sequence[Job]) -> int:
    """The processes of a job; where they differ, of the one that has the most."""
    return max((job.config.trainer.processes for job in jobs), default=1)


def visible_gpus(environ: Mapping[str, str], num_gpus: int, processes: int = 1) -> list[dict[str, str]]:
    """The variables that show each job as many GPUs as it has processes, in turn.

    >>> visible_gpus({"CUDA_VISIBLE_DEVICES": "2,5"}, 2)
    [{'CUDA_VISIBLE_DEVICES': '2'}, {'CUDA_VISIBLE_DEVICES': '5'}]
    >>> visible_gpus({}, 5, processes=2)
    [{'CUDA_VISIBLE_DEVICES': '0,1'}, {'CUDA_VISIBLE_DEVICES': '2,3'}]
    """
    named = [part.strip() for part in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    names = named[:num_gpus] if named else [str(number) for number in range(num_gpus)]
    sets = [names[first : first + processes] for first in range(0, len(names) - processes + 1, processes)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(some)} for some in sets or [names] if some]
