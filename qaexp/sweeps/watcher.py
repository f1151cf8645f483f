"""Who is told how the jobs of a sweep go: what shows them, keeps to a budget, or gives them up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome


class Watcher(Protocol):
    """Is told of each job."""

    def started(self, job: Job) -> None:
        """A job begins in this process's care."""

    def elsewhere(self, job: Job, place: str) -> None:
        """A job has begun in another worker: a process on a host."""

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """A job has ended, here or elsewhere."""

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Some time has passed; returns the identities of jobs that shall be stopped."""

    def say(self, sentence: str) -> None:
        """Something else is to be told."""


class Nobody:
    """Is told, and says nothing."""

    def started(self, job: Job) -> None:
        """Nothing."""

    def elsewhere(self, job: Job, place: str) -> None:
        """Nothing."""

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """Nothing."""

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Nothing is unwanted."""
        return ()

    def say(self, sentence: str) -> None:
        """Nothing."""
