"""Jobs run side by side, each in a child; one that fails, hangs or dies costs none of the others."""

from __future__ import annotations

import multiprocessing.connection
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from qaexp.errors import StorageError
from qaexp.runs.directory import OUTPUT_LOG, SUMMARY
from qaexp.runs.readers.folder import DAMAGED, look
from qaexp.storage.folders import make_directory
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.bodies import train
from qaexp.sweeps.ending import end_job
from qaexp.sweeps.in_order import InOrder, Queue
from qaexp.sweeps.isolate import Child, World
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import FAILED, PREEMPTED, TAKEN_OVER, TIMEOUT, WITH_THE_SWEEP, Outcome, outcome_of
from qaexp.sweeps.watcher import Nobody, Watcher

_POLL_SECONDS = 0.5
_OUT_OF_TIME = "stopped as the time of its worker was over"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How jobs are run.

    Attributes:
        at_once: So many at a time.
        timeout_seconds: A job that takes longer is stopped; None: never.
        grace_seconds: After that it has so long to store what it did.
        environments: Variables of the child in each of the `at_once` places, for example which GPU it sees.
        until: The time, by the monotonic clock, at which all is stopped with checkpoints; None: never.
        body: What a child does; None: it trains the job.
    """

    at_once: int = 1
    timeout_seconds: float | None = None
    grace_seconds: float = 30.0
    environments: Sequence[Mapping[str, str]] = ()
    until: float | None = None
    body: Callable[[Job], None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the time that was given is over."""
        return self.until is not None and time.monotonic() >= self.until

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
    is_lost: bool = False
    is_late: bool = False


def run_jobs(queue: Queue, settings: PoolSettings, watcher: Watcher) -> dict[str, Outcome]:
    """Run jobs in children until none is left, a signal came, too many failed, or the time is over.

    A signal is passed on once, and all children end with their checkpoints; the caller, who watches for signals, raises
    it when this returns. An exception (a second Ctrl-C) kills them.

    Args:
        queue: Where the jobs come from; others may take some of them.
        settings: How.
        watcher: Is told.

    Returns:
        The outcome of each job that was started here, by its identity.

    Raises:
        StorageError: No further job can be claimed; those that ran have ended.
    """
    running: list[_Running] = []
    outcomes: dict[str, Outcome] = {}
    refused: StorageError | None = None
    try:
        while True:
            elsewhere = queue.see(watcher)
            is_ending = stop_is_requested() or queue.is_closed or settings.is_over or refused is not None
            try:
                while len(running) < settings.at_once and not is_ending and (job := queue.take()) is not None:
                    running.append(_start(job, settings, {each.place for each in running}))
                    watcher.started(job)
            except StorageError as error:
                refused = error
            if not running and refused is not None:
                raise refused
            if not running and (is_ending or queue.is_done):
                return outcomes
            _wait(running)
            for each in [each for each in running if each.child.is_over()]:
                running.remove(each)
                outcomes[each.job.sha256] = outcome = _outcome(each)
                queue.give_back(each.job, outcome)
                watcher.ended(each.job, outcome, each.child.seconds)
            lost = queue.lost()
            unwanted = watcher.tick([*(each.job for each in running), *elsewhere])
            for each in running:
                _look_after(each, settings, is_unwanted=each.job.sha256 in unwanted, is_lost=each.job.sha256 in lost)
    finally:
        for each in running:
            each.child.kill()


def _wait(running: Sequence[_Running]) -> None:
    """Wait for the end of a child, but not long: others may have news."""
    if running:
        multiprocessing.connection.wait([each.child.sentinel for each in running], _POLL_SECONDS)
    else:
        time.sleep(_POLL_SECONDS)


def run_alone(job: Job, settings: PoolSettings | None = None) -> Outcome:
    """Run one job in a child, and wait; after a signal none is started."""
    not_started = Outcome(PREEMPTED, "preempted", "stopped before it began")
    return run_jobs(InOrder([job]), settings or PoolSettings(), Nobody()).get(job.sha256, not_started)


def _start(job: Job, settings: PoolSettings, taken: set[int]) -> _Running:
    place = min(set(range(settings.at_once)) - taken)
    make_directory(job.folder)
    world = World(job.folder / OUTPUT_LOG, settings.environment(place))
    return _Running(job, Child(settings.body or train, job, world=world), place)


def _look_after(running: _Running, settings: PoolSettings, *, is_unwanted: bool, is_lost: bool) -> None:
    """Stop a job when the sweep is stopped, or when its time is over; kill it when it does not stop, or is lost."""
    limit = settings.timeout_seconds
    if is_lost:
        running.is_lost = True
        running.child.kill()
    elif (stop_is_requested() or settings.is_over or is_unwanted) and not running.is_stopped:
        running.is_stopped, running.is_late = True, settings.is_over
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
    if running.is_lost:
        return Outcome(PREEMPTED, "preempted", TAKEN_OVER)
    if outcome.state != "completed" and running.is_overtime:
        outcome = Outcome(TIMEOUT, "timeout", f"took longer than {running.child.seconds:.0f} s and was stopped")
    elif outcome.state == FAILED and outcome.kind == "killed" and (running.is_stopped or stop_is_requested()):
        # It had not yet begun to watch for signals; or the signal ended the server too, which has the exit codes.
        outcome = Outcome(PREEMPTED, "preempted", WITH_THE_SWEEP)
    elif outcome.state == PREEMPTED and running.is_late:
        outcome = replace(outcome, message=_OUT_OF_TIME)
    elif outcome.state == PREEMPTED and stop_is_requested():
        # The signal that it got is the sweep's, not the one that the sweep got.
        outcome = replace(outcome, message=WITH_THE_SWEEP)
    redactor = job.redactor
    outcome = replace(outcome, message=redactor.text(outcome.message))
    end_job(job.folder, running.child.pid, outcome.kind, outcome.message, state=outcome.state, redactor=redactor)
    return outcome
