"""The jobs of a sweep that several workers share: a worker takes one that nobody has, and gives it back when it ended.

What is left is known from the sweep's folder alone: claims say who has a job and how it ended there, and a run
directory says whether it is completed. Nobody hands out jobs, so nobody who dies stops the others.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.errors import StorageError
from qaexp.runs.claims import Claim, Claims
from qaexp.runs.readers.folder import RUNNING, look
from qaexp.runs.workers import working
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, FAILED, FAILURES, PREEMPTED, Outcome
from qaexp.sweeps.policy import FailurePolicy
from qaexp.sweeps.watcher import Watcher

MAX_LOST = 5
"""So many workers in a row may die with a job before it counts as failed: it may be what kills them."""

_LOOK_SECONDS = 1.0
_BUSY = "busy"
_AGAIN = "again"
"""The end of a claim after which a job that failed is to be run once more."""


@dataclass
class JobQueue:
    """The jobs of a sweep, as one of its workers sees them.

    Attributes:
        jobs: Identified jobs that were not completed when they were planned.
        claims: Who has which job.
        policy: What failed jobs mean for the others.
        limit: So many are taken here at most, and none is waited for; None: no limit.
        outcomes: How those that ended elsewhere ended, by identity.
    """

    jobs: Sequence[Job]
    claims: Claims
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    limit: int | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _left: dict[str, Job] = field(init=False)
    _own: dict[str, Claim] = field(default_factory=dict)
    _elsewhere: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _num_taken: int = 0
    _has_found_none: bool = False
    _looked: float = -_LOOK_SECONDS
    _num_failed: int = 0

    def __post_init__(self) -> None:
        """Nothing is taken yet."""
        self._left = {job.run_id: job for job in self.jobs}

    @property
    def is_closed(self) -> bool:
        """Whether too many jobs have failed for any other to be started, whoever ran them."""
        return self.policy.is_over(self._num_failed)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to do here: all have ended, or as many as this worker may take were taken."""
        has_enough = self.limit is not None and (self._num_taken >= self.limit or self._has_found_none)
        return not self._left or (has_enough and not self._own)

    def take(self) -> Job | None:
        """Take the first job that nobody has; None while there is none.

        Raises:
            StorageError: The sweep's folder cannot be written.
        """
        if self.limit is not None and self._num_taken >= self.limit:
            return None
        newest = self.claims.newest()
        for job in list(self._left.values()):
            claim = newest.get(job.run_id)
            if job.run_id in self._own or self._is_taken(claim) or _failure(claim) is not None:
                continue
            if self._is_under_way(job):
                continue
            if (mine := self.claims.take(job.run_id, claim)) is None:
                continue
            if self._is_under_way(job):  # somebody was quicker, and has ended since
                self.claims.end(mine, PREEMPTED)
                continue
            if mine.number > 1 and claim is not None and _num_lost(claim) >= MAX_LOST:
                self._give_up(job, mine, claim)
                continue
            self._own[job.run_id] = mine
            self._told.discard(job.run_id)
            self._elsewhere.pop(job.run_id, None)
            self._num_taken += 1
            return job
        self._has_found_none = True
        return None

    def give_back(self, job: Job, outcome: Outcome) -> None:
        """Say how a job ended that was taken here."""
        mine = self._own.pop(job.run_id)
        if self.claims.is_lost(mine):
            return  # how it ends is for its new worker to say
        # One that trains it and claims nothing: it is looked at again later.
        is_busy = outcome.kind == _BUSY
        with suppress(StorageError):  # without an end the claim ends with this worker
            self.claims.end(mine, PREEMPTED if is_busy else outcome.state, outcome.kind, outcome.message)
        if not is_busy:
            self._num_failed += outcome.state in FAILURES
            del self._left[job.run_id]

    def put_back(self, job: Job) -> None:
        """Give up a job that was taken here and did not end; whoever is quicker takes it again."""
        mine = self._own.pop(job.run_id)
        self._num_taken -= 1
        self._told.add(job.run_id)
        with suppress(StorageError):
            self.claims.end(mine, PREEMPTED)

    def close(self) -> None:
        """Give up what was taken here and never given back, as an exception ended this worker: others may take it."""
        for mine in self._own.values():
            if not self.claims.is_lost(mine):
                with suppress(StorageError):
                    self.claims.end(mine, PREEMPTED)
        self._own.clear()

    def lost(self) -> Collection[str]:
        """The identities of jobs that run here and that other workers have taken over meanwhile."""
        return {self._left[job].sha256 for job, claim in self._own.items() if self.claims.is_lost(claim)}

    def see(self, watcher: Watcher) -> Sequence[Job]:
        """Look how the jobs of other workers go, at most once a second, and tell what is new."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked, newest = now, self.claims.newest()
            for job in [job for job in self._left.values() if job.run_id not in self._own]:
                self._see(job, newest.get(job.run_id), watcher)
        return [self._left[job] for job in self._elsewhere]

    def _see(self, job: Job, claim: Claim | None, watcher: Watcher) -> None:
        if claim is not None and self._is_taken(claim):
            if job.run_id not in self._elsewhere:
                self._elsewhere[job.run_id] = time.monotonic()
                watcher.elsewhere(job, claim.place)
        elif (failure := _failure(claim)) is not None:
            self._over(job, failure, watcher)
        elif job.run_id in self._elsewhere or (claim is not None and claim.end is not None):
            self._see_unclaimed(job, claim, watcher)

    def _see_unclaimed(self, job: Job, claim: Claim | None, watcher: Watcher) -> None:
        """A job that ran elsewhere and has no worker any more, or is run by a process that claims nothing."""
        state = look(job.folder).state
        if state == COMPLETED:
            self._over(job, Outcome(COMPLETED), watcher)
        elif state != RUNNING and (began := self._elsewhere.pop(job.run_id, None)) is not None:
            if job.run_id in self._told:  # a child that outlived its worker here
                return
            why = "its worker has died" if claim is not None and claim.end is None else "its worker was stopped"
            watcher.ended(job, Outcome(PREEMPTED, "preempted", why), time.monotonic() - began)

    def _over(self, job: Job, outcome: Outcome, watcher: Watcher) -> None:
        began = self._elsewhere.pop(job.run_id, time.monotonic())
        self.outcomes[job.sha256] = outcome
        self._num_failed += outcome.state in FAILURES
        del self._left[job.run_id]
        watcher.ended(job, outcome, time.monotonic() - began)

    def _is_taken(self, claim: Claim | None) -> bool:
        return claim is not None and claim.end is None and self.claims.is_alive(claim)

    def _is_under_way(self, job: Job) -> bool:
        """Whether its folder says that somebody trains it, or that it is completed; then it is looked at later."""
        is_under_way = look(job.folder).state in (RUNNING, COMPLETED)
        if is_under_way:
            self._elsewhere.setdefault(job.run_id, time.monotonic())
        return is_under_way

    def _give_up(self, job: Job, mine: Claim, last: Claim) -> None:
        message = (
            f"{_num_lost(last)} workers died while they ran it, the last one as {last.place}; see {job.folder}, and "
            f"run it again with qaexp work {shlex.quote(str(self.claims.folder))} --retry"
        )
        self.claims.end(mine, FAILED, "killed", message)


def _num_lost(claim: Claim) -> int:
    """How many workers in a row died with a job, that of its newest claim counted."""
    return claim.num_lost + (claim.end is None)


def _failure(claim: Claim | None) -> Outcome | None:
    """How a job failed that nobody is to run again; None for any other."""
    if claim is None or claim.end is None or claim.end.get("state") not in FAILURES:
        return None
    return Outcome(str(claim.end["state"]), str(claim.end.get("kind", "")), str(claim.end.get("message", "")))


@contextmanager
def shared(
    sweep: Path, jobs: Sequence[Job], policy: FailurePolicy, about: Mapping[str, Any] | None = None, **more: Any
) -> Iterator[JobQueue]:
    """Be a worker for these jobs of a sweep; see `JobQueue`.

    Args:
        sweep: The sweep's directory.
        jobs: Identified jobs.
        policy: What failed jobs mean for the others.
        about: What this worker tells of itself.
        **more: Further attributes of the queue.
    """
    with working(sweep, about) as claims:
        queue = JobQueue(jobs, claims, policy, **more)
        try:
            yield queue
        finally:
            queue.close()


def give_another_try(claims: Claims, jobs: Sequence[Job]) -> int:
    """Let jobs that failed be run once more, whoever takes them; returns how many.

    Raises:
        StorageError: The sweep's folder cannot be written.
    """
    newest, count = claims.newest(), 0
    for job in jobs:
        claim = newest.get(job.run_id)
        if _failure(claim) is not None and (mine := claims.take(job.run_id, claim)) is not None:
            claims.end(mine, _AGAIN)
            count += 1
    return count


def failed_before(claims: Claims, jobs: Sequence[Job]) -> dict[str, str]:
    """Why jobs failed, in whichever worker, that are left alone until they are to be tried again; by identity."""
    newest = claims.newest()
    failures = {job.sha256: _failure(newest.get(job.run_id)) for job in jobs}
    return {sha256: failure.message for sha256, failure in failures.items() if failure is not None}
