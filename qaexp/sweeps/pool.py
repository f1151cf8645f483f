"""Jobs run side by side, each in a child; one that fails, hangs or dies costs none of the others."""

from __future__ import annotations

import multiprocessing.connection
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from qaexp.runs.directory import OUTPUT_LOG, SUMMARY
from qaexp.runs.readers.folder import DAMAGED, look
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.ending import end_job
from qaexp.sweeps.isolate import Child, World
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import FAILED, PREEMPTED, TIMEOUT, Outcome, outcome_of
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.work import train

_POLL_SECONDS = 0.5
_WITH_THE_SWEEP = "stopped with the sweep"


class Watcher(Protocol):
    """Who is told how the jobs go."""

    def started(self, job: Job) -> None:
        """A job begins."""

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """A job has ended."""

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Some time has passed; returns the identities of jobs that shall be stopped."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How jobs are run.

    Attributes:
        at_once: So many at a time.
        timeout_seconds: A job that takes longer is stopped; None: never.
        grace_seconds: After that it has so long to store what it did.
        environments: Variables of the child in each of the `at_once` places, for example which GPU it sees.
        policy: What failed jobs mean for the others.
    """

    at_once: int = 1
    timeout_seconds: float | None = None
    grace_seconds: float = 30.0
    environments: Sequence[Mapping[str, str]] = ()
    policy: FailurePolicy = field(default_factory=FailurePolicy)

    def environment(self, place: int) -> Mapping[str, str]:
        """The variables of the child in a place."""
        return self.environments[place % len(self.environments)] if self.environments else {}


@dataclass
class _Running:
    job: Job
    child: Child
    place: int
    is_overtime: bool = False
    is_stopped: bool = False


def run_jobs(jobs: Sequence[Job], settings: PoolSettings, watcher: Watcher) -> dict[str, Outcome]:
    """Run jobs in children until all have ended, a signal came, or too many failed.

    A signal is passed on once, and all children end with their checkpoints; the caller, who watches for signals, raises
    it when this returns. An exception (a second Ctrl-C) kills them.

    Args:
        jobs: Identified jobs.
        settings: How.
        watcher: Is told.

    Returns:
        The outcome of each job that was started, by its identity.
    """
    waiting, running = deque(jobs), list[_Running]()
    outcomes: dict[str, Outcome] = {}
    try:
        while True:
            num_failed = sum(outcome.state in (FAILED, TIMEOUT) for outcome in outcomes.values())
            is_ending = stop_is_requested() or settings.policy.is_over(num_failed)
            while waiting and len(running) < settings.at_once and not is_ending:
                running.append(_start(waiting.popleft(), settings, {each.place for each in running}))
                watcher.started(running[-1].job)
            if not running:
                return outcomes
            multiprocessing.connection.wait([each.child.sentinel for each in running], _POLL_SECONDS)
            for each in [each for each in running if each.child.is_over()]:
                running.remove(each)
                outcomes[each.job.sha256] = outcome = _outcome(each)
                watcher.ended(each.job, outcome, each.child.seconds)
            unwanted = watcher.tick([each.job for each in running])
            for each in running:
                _look_after(each, settings, is_unwanted=each.job.sha256 in unwanted)
    finally:
        for each in running:
            each.child.kill()


def run_alone(job: Job) -> Outcome:
    """Run one job in a child, and wait; after a signal none is started."""
    not_started = Outcome(PREEMPTED, "preempted", "stopped before it began")
    return run_jobs([job], PoolSettings(), _Nobody()).get(job.sha256, not_started)


class _Nobody:
    """Is told, and says nothing."""

    def started(self, job: Job) -> None:
        pass

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        pass

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        return ()


def _start(job: Job, settings: PoolSettings, taken: set[int]) -> _Running:
    place = min(set(range(settings.at_once)) - taken)
    world = World(job.folder / OUTPUT_LOG, settings.environment(place))
    return _Running(job, Child(train, job, world=world), place)


def _look_after(running: _Running, settings: PoolSettings, *, is_unwanted: bool) -> None:
    """Stop a job when the sweep is stopped, or when its time is over; kill it when it does not stop."""
    limit = settings.timeout_seconds
    if (stop_is_requested() or is_unwanted) and not running.is_stopped:
        running.is_stopped = True
        running.child.stop()
    elif limit is not None and running.child.seconds > limit and not running.is_overtime:
        running.is_overtime = True
        running.child.stop()
    elif running.is_overtime and limit is not None and running.child.seconds > limit + settings.grace_seconds:
        running.child.kill()


def _outcome(running: _Running) -> Outcome:
    message, exit_code = running.child.ended()
    job = running.job
    # A summary.json that was spoilt before the job began is not a sign that the job made one.
    is_done = (job.folder / SUMMARY).exists() and look(job.folder).state != DAMAGED
    outcome = outcome_of(message, exit_code, is_done=is_done)
    if outcome.state != "completed" and running.is_overtime:
        outcome = Outcome(TIMEOUT, "timeout", f"took longer than {running.child.seconds:.0f} s and was stopped")
    elif outcome.state == FAILED and outcome.kind == "killed" and (running.is_stopped or stop_is_requested()):
        # It had not yet begun to watch for signals; or the signal ended the server too, which has the exit codes.
        outcome = Outcome(PREEMPTED, "preempted", _WITH_THE_SWEEP)
    elif outcome.state == PREEMPTED and stop_is_requested():
        # The signal that it got is the sweep's, not the one that the sweep got.
        outcome = replace(outcome, message=_WITH_THE_SWEEP)
    redactor = job.redactor
    outcome = replace(outcome, message=redactor.text(outcome.message))
    end_job(job.folder, running.child.pid, outcome.kind, outcome.message, state=outcome.state, redactor=redactor)
    return outcome
