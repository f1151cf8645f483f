"""Where a pool takes its jobs from, one by one; here in their order, where nobody else takes any."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import FAILURES, Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.watcher import Watcher


class Queue(Protocol):
    """Where jobs come from, one by one, and go back to."""

    @property
    def is_closed(self) -> bool:
        """Whether no further job is to be started."""

    @property
    def is_done(self) -> bool:
        """Whether none is left, here or elsewhere."""

    def take(self) -> Job | None:
        """The next job; None while there is none."""

    def give_back(self, job: Job, outcome: Outcome) -> None:
        """Say how a job ended."""

    def lost(self) -> Collection[str]:
        """The identities of jobs that must not go on here."""

    def see(self, watcher: Watcher) -> Sequence[Job]:
        """Tell what is new elsewhere; returns the jobs that run there."""


@dataclass
class InOrder:
    """Jobs of which nobody else takes any, in their order.

    Attributes:
        jobs: Identified jobs.
        policy: What failed jobs mean for the others.
    """

    jobs: Sequence[Job]
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    _num_taken: int = 0
    _num_failed: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether too many have failed."""
        return self.policy.is_over(self._num_failed)

    @property
    def is_done(self) -> bool:
        """Whether all were taken."""
        return self._num_taken == len(self.jobs)

    def take(self) -> Job | None:
        """The next one."""
        if self.is_done:
            return None
        self._num_taken += 1
        return self.jobs[self._num_taken - 1]

    def give_back(self, job: Job, outcome: Outcome) -> None:
        """Count what failed."""
        self._num_failed += outcome.state in FAILURES

    def lost(self) -> Collection[str]:
        """None: nobody else takes any."""
        return ()

    def see(self, watcher: Watcher) -> Sequence[Job]:
        """Nothing."""
        return ()
