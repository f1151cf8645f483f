"""What a launcher of qaexp is: it runs the planned jobs of a sweep, or keeps workers alive that do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from qaexp.errors import ConfigError
from qaexp.runs.claims import Claims
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done of a sweep whose plan stands in its folder.

    Attributes:
        sweep: The sweep's directory.
        jobs: Those that are not completed, identified.
        policy: What failed jobs mean for the others.
        num_gpus: How many GPUs this machine has.
        until: The time, by the monotonic clock, at which all is stopped with checkpoints; None: never.
        limit: So many jobs are taken at most; None: no limit.
        about: What this worker tells of itself to others.
    """

    sweep: Path
    jobs: Sequence[Job]
    policy: FailurePolicy
    num_gpus: int = 0
    until: float | None = None
    limit: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def most_processes(jobs: Sequence[Job]) -> int:
    """The processes of a job; where they differ, of the one that has the most."""
    return max((job.config.trainer.processes for job in jobs), default=1)


class JobLauncher(Launcher, ABC):
    """Runs planned jobs, however it does.

    Hydra asks for `launch`; our sweepers, which have composed the jobs already, call `run`. plan.json holds `name` and
    `settings`, the keywords that make the same launcher again.
    """

    name: ClassVar[str]
    """Its choice of `hydra/launcher`."""

    @property
    def is_here(self) -> bool:
        """Whether the jobs run on this machine."""
        return True

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing: all that is needed comes with the jobs."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Refuse: another sweeper than ours plans nothing."""
        raise ConfigError(
            f"hydra/launcher={self.name} runs planned jobs; leave out hydra/sweeper=, or take another launcher"
        )

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Its keywords, as plan.json keeps them."""

    @abstractmethod
    def at_once(self, num_gpus: int, processes: int = 1) -> int:
        """How many jobs run at a time.

        Args:
            num_gpus: How many GPUs this machine has.
            processes: Of a job.
        """

    @abstractmethod
    def threads(self, num_gpus: int, processes: int = 1) -> int | None:
        """CPU threads of a job whose config says nothing of them; None: what the worker's machine gives."""

    @abstractmethod
    def run(self, work: Work, watcher: Watcher) -> Mapping[str, Outcome]:
        """Run what is missing until nothing is, a signal came, or too many failed.

        Args:
            work: The jobs; other workers may take some of them.
            watcher: Is told of each.

        Returns:
            How those that were started, here or elsewhere, ended; by identity.
        """

    def close(self) -> None:
        """The sweep is over: give up what was kept between two calls of `run`."""


class Attended(Protocol):
    """What workers elsewhere are at, as the process sees it that keeps them alive."""

    @property
    def is_over(self) -> bool:
        """Whether no worker is needed any more."""

    def look(self) -> None:
        """Tell what is new; called every second or so."""


class WorkersLauncher(JobLauncher):
    """Keeps workers alive elsewhere, which find in the sweep's folder what there is to do: jobs, or trials."""

    @abstractmethod
    def attend(self, claims: Claims, num_most: int, attended: Attended, say: Callable[[str], None]) -> None:
        """Have workers until nothing is missing, a signal comes, or none of them is left.

        Args:
            claims: Of the sweep, by this process.
            num_most: More workers would find nothing to do.
            attended: What they are at.
            say: Is told how they stand.
        """
