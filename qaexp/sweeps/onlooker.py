"""Jobs of another launcher, seen from outside: their folders tell when one begins and when it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from qaexp.runs.readers.folder import COMPLETED, FAILED, PREEMPTED, RUNNING, look
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.watcher import Watcher

_SECONDS = 1.0
_STATES = {COMPLETED: "completed", FAILED: "failed", PREEMPTED: "preempted"}


class Onlooker:
    """Tells a watcher of jobs that somebody else runs."""

    def __init__(self, jobs: Sequence[Job], watcher: Watcher) -> None:
        """Take the jobs, none of which is under way yet, and whom to tell."""
        self._watcher = watcher
        # A job that failed before is failed until it begins anew.
        self._waiting = {job.sha256: job for job in jobs}
        self._running: dict[str, Job] = {}
        self._began: dict[str, float] = {}

    def see(self) -> None:
        """Look at all jobs once."""
        for job in list(self._waiting.values()):
            state = look(job.folder).state
            if state in (RUNNING, COMPLETED):
                self._begun(job)
        for job in list(self._running.values()):
            state = look(job.folder).state
            if state in _STATES:
                self._end(job, Outcome(_STATES[state]))
        self._watcher.tick(list(self._running.values()))

    def close(self, outcomes: Mapping[str, Outcome]) -> None:
        """Tell what was not seen, once the launcher has given back how its jobs ended."""
        for job in [*self._running.values(), *self._waiting.values()]:
            if (outcome := outcomes.get(job.sha256)) is not None:
                self._begun(job)
                self._end(job, outcome)

    def _begun(self, job: Job) -> None:
        if self._waiting.pop(job.sha256, None) is not None:
            self._running[job.sha256], self._began[job.sha256] = job, time.monotonic()
            self._watcher.started(job)

    def _end(self, job: Job, outcome: Outcome) -> None:
        del self._running[job.sha256]
        self._watcher.ended(job, outcome, time.monotonic() - self._began[job.sha256])


@contextmanager
def looked_at(jobs: Sequence[Job], watcher: Watcher, seconds: float = _SECONDS) -> Iterator[Onlooker]:
    """Look at jobs every so often while the body has them run.

    Args:
        jobs: Those that will run.
        watcher: Is told, from another thread.
        seconds: Between two looks.

    Yields:
        Who looks; to be closed when the body knows how the jobs ended.
    """
    onlooker, stopped = Onlooker(jobs, watcher), threading.Event()

    def work() -> None:
        while not stopped.wait(seconds):
            onlooker.see()

    thread = threading.Thread(target=work, name="qaexp-onlooker", daemon=True)
    thread.start()
    try:
        yield onlooker
    finally:
        stopped.set()
        thread.join()
