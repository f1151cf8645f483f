"""`hydra/launcher=local`: jobs as children of this process, several at a time, each with its share of the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qaexp.errors import ConfigError
from qaexp.sweeps.launching import JobLauncher, Work, most_processes
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.pool import PoolSettings, run_jobs
from qaexp.sweeps.queue import shared
from qaexp.sweeps.watcher import Watcher

AUTO = "auto"
_CORES_A_JOB = 4


class LocalLauncher(JobLauncher):
    """Runs the jobs of a sweep on this machine."""

    name = "local"

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

    def threads(self, num_gpus: int, processes: int = 1) -> int:
        """The share of the cores that a job has, however many jobs are left."""
        return max(1, num_cores() // self.at_once(num_gpus, processes))

    def run(self, work: Work, watcher: Watcher) -> Mapping[str, Outcome]:
        """Run planned jobs in children of this process; see `pool.run_jobs`."""
        processes = most_processes(work.jobs)
        settings = PoolSettings(
            at_once=self.at_once(work.num_gpus, processes),
            timeout_seconds=self._timeout_seconds,
            grace_seconds=self._grace_seconds,
            environments=visible_gpus(os.environ, work.num_gpus, processes),
            until=work.until,
        )
        with shared(work.sweep, work.jobs, work.policy, work.about, limit=work.limit) as queue:
            here = run_jobs(queue, settings, watcher)
        return {**queue.outcomes, **here}


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
