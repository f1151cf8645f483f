"""The jobs of a sweep as tasks of Ray: submitted, watched, stopped, and tried again where a worker or a node died."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, QaexpError, StorageError
from qaexp.runs.directory import RUN
from qaexp.runs.identity import code_hash
from qaexp.runs.readers.folder import NOT_A_RUN, RUNNING, look
from qaexp.storage.reading import read_json
from qaexp.storage.signals import stop_is_requested
from qaexp.storage.start import ALLOWED, start
from qaexp.sweeps.ending import end_job
from qaexp.sweeps.job import Job
from qaexp.sweeps.launching import Work
from qaexp.sweeps.outcome import FAILED, PREEMPTED, TAKEN_OVER, WITH_THE_SWEEP, Outcome
from qaexp.sweeps.parcel import pack, unpack
from qaexp.sweeps.queue import JobQueue
from qaexp.sweeps.ray_cluster import Cluster
from qaexp.sweeps.ray_keys import RayKeys
from qaexp.sweeps.ray_task import Errand, Told, do, mark
from qaexp.sweeps.watcher import Watcher

MAX_TRIES = 3
"""So many workers may die with a job before it counts as failed."""

_POLL_SECONDS, _ROOM_SECONDS = 0.5, 5.0
_DIED = "died"

_DEATHS = {
    "WorkerCrashedError": "the process of its worker died",
    "NodeDiedError": "its node died",
    "OutOfMemoryError": "Ray killed its worker, as the memory of the node was full (hydra.launcher.memory_gb)",
}


@dataclass
class _Running:
    job: Job
    task: Any
    began: float
    stopped: float | None = None
    is_lost: bool = False


class RayJobs:
    """The jobs of one call of a launcher."""

    def __init__(self, cluster: Cluster, keys: RayKeys, work: Work, queue: JobQueue, watcher: Watcher) -> None:
        """Take the cluster, how a job is run on it, the jobs, and whom to tell."""
        self._cluster, self._ray, self._keys = cluster, cluster.ray, keys
        self._work, self._queue, self._watcher = work, queue, watcher
        self._token = secrets.token_hex(16)
        self._task = self._ray.remote(max_retries=0, **keys.options)(do)
        self._running: list[_Running] = []
        self._outcomes: dict[str, Outcome] = {}
        self._num_deaths: Counter[str] = Counter()
        self._room, self._looked = 0, -_ROOM_SECONDS
        self._refused: StorageError | None = None

    def run(self) -> Mapping[str, Outcome]:
        """Run jobs until none is left, a signal came, too many failed, or the time is over.

        Returns:
            The outcome of each job that was started here, by its identity.

        Raises:
            ConfigError: A cluster of this machine alone has no room for a job.
            StorageError: No further job can be claimed; those that ran have ended.
        """
        mark(self._work.sweep, self._token)
        try:
            while True:
                self._submit()
                if not self._running and self._refused is not None:
                    raise self._refused
                if not self._running and (self._is_ending or self._queue.is_done):
                    return self._outcomes
                self._settle_ended()
                self._look_after()
        finally:
            for each in self._running:  # a second Ctrl-C
                self._cancel(each, force=True)

    @property
    def _is_ending(self) -> bool:
        is_over = self._work.until is not None and time.monotonic() >= self._work.until
        return stop_is_requested() or self._queue.is_closed or is_over or self._refused is not None

    def _submit(self) -> None:
        """Send as many jobs as there is room for."""
        try:
            while not self._is_ending and len(self._running) < self._at_once() and (job := self._queue.take()):
                self._running.append(_Running(job, self._task.remote(self._errand(job)), time.monotonic()))
                self._watcher.started(job)
        except StorageError as error:
            self._refused = error

    def _at_once(self) -> int:
        """So many jobs at a time; clusters grow and shrink."""
        now = time.monotonic()
        if now - self._looked >= _ROOM_SECONDS:
            before, self._looked, self._room = self._room, now, self._cluster.room()
            if self._room == 0 and (before > 0 or not self._running):
                self._tell_no_room()
        # One that waits makes a cluster grow that can.
        return self._keys.jobs or max(self._room, 1)

    def _tell_no_room(self) -> None:
        needed = ", ".join(f"{name} {value:g}" for name, value in self._keys.needed.items())
        words = f"no node of the cluster has room for a job ({needed})"
        if self._cluster.is_of_this_machine:
            raise ConfigError(f"hydra/launcher=ray: {words}; ask for less by hydra.launcher.*")
        if self._outcomes or not self._num_deaths:
            self._watcher.say(f"{words}; jobs wait until one has")

    def _errand(self, job: Job) -> Errand:
        here = Path.cwd()
        return Errand(
            job=job,
            sweep=self._work.sweep.absolute(),
            token=self._token,
            is_begun=look(job.folder).state != NOT_A_RUN,
            working_directory=here,
            is_on_path=str(here) in sys.path,
            allowed=start().environ.get(ALLOWED),
            code_hash=code_hash(),
            has_gpu=self._keys.num_gpus > 0,
            timeout_seconds=self._keys.timeout_seconds,
            grace_seconds=self._keys.grace_seconds,
        )

    def _settle_ended(self) -> None:
        """Wait a moment for the end of a task, and see to those that have ended."""
        if not self._running:
            time.sleep(_POLL_SECONDS)
            return
        tasks = [each.task for each in self._running]
        ended, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0, fetch_local=False)
        if not ended:
            ended, _ = self._ray.wait(tasks, timeout=_POLL_SECONDS, fetch_local=False)
        for each in [each for each in self._running if each.task in ended]:
            outcome = self._outcome(each)
            if outcome is None:
                continue
            self._running.remove(each)
            if outcome.kind == _DIED:
                self._queue.put_back(each.job)
                outcome = Outcome(PREEMPTED, "preempted", outcome.message)
            else:
                self._outcomes[each.job.sha256] = outcome
                self._queue.give_back(each.job, outcome)
            self._watcher.ended(each.job, outcome, time.monotonic() - each.began)

    def _outcome(self, each: _Running) -> Outcome | None:
        """How a task ended; None: it is sent anew, with its folder."""
        job, errors = each.job, self._ray.exceptions
        try:
            told: Told = self._ray.get(each.task)
            if told.outcome is None:
                self._send_with_folder(each)
                return None
            if told.parcel is not None:
                unpack((self._ray.get(piece) for piece in told.parcel), job.folder)
        except errors.RayTaskError as error:
            return Outcome(FAILED, "launcher", job.redactor.text(_cause(error)))
        except errors.TaskCancelledError:
            return _stopped(each)
        except errors.RayError as error:
            return self._died(each, error)
        except QaexpError as error:  # what came back cannot be written
            return Outcome(FAILED, error.kind, job.redactor.text("; ".join(error.problems)))
        return _stopped(each) if each.is_lost else told.outcome

    def _send_with_folder(self, each: _Running) -> None:
        """Send a job again to a machine that does not see its folder, with what is in it."""
        pieces = pack(each.job.folder, self._ray.put)
        each.task = self._task.remote(self._errand(each.job), pieces)

    def _died(self, each: _Running, error: Exception) -> Outcome:
        """What becomes of a job whose worker is gone."""
        if each.is_lost or each.stopped is not None or stop_is_requested():
            return _stopped(each)
        job, name = each.job, type(error).__name__
        why = _DEATHS.get(name) or f"{name}: {_first_line(error)}"
        self._num_deaths[job.sha256] += 1
        num_deaths = self._num_deaths[job.sha256]
        if num_deaths < MAX_TRIES:
            again = f"it goes on after its last checkpoint (try {num_deaths + 1} of {MAX_TRIES})"
            return Outcome(PREEMPTED, _DIED, f"{why}; {again}")
        message = f"{why}, in the last of {MAX_TRIES} tries; see {job.folder}"
        if look(job.folder).state != RUNNING:
            with suppress(OSError, QaexpError):  # it never began
                pid = read_json(job.folder / RUN).get("pid")
                end_job(job.folder, pid, "killed", message, state=FAILED, redactor=job.redactor)
        return Outcome(FAILED, "killed", message)

    def _look_after(self) -> None:
        """Stop jobs when the sweep is stopped; kill those that do not stop, or that are not ours any more."""
        lost, now = self._queue.lost(), time.monotonic()
        jobs = [*(each.job for each in self._running), *self._queue.see(self._watcher)]
        unwanted = self._watcher.tick(jobs)
        is_over = stop_is_requested() or (self._work.until is not None and now >= self._work.until)
        for each in self._running:
            if each.job.sha256 in lost:
                each.is_lost = True
                self._cancel(each, force=True)
            elif each.stopped is None and (is_over or each.job.sha256 in unwanted):
                each.stopped = now
                self._cancel(each, force=False)
            elif each.stopped is not None and now - each.stopped > self._keys.grace_seconds:
                self._cancel(each, force=True)

    def _cancel(self, each: _Running, *, force: bool) -> None:
        """Interrupt a worker, which has its child store what it did; or end it, and its child does so by itself."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.cancel(each.task, force=force)


def _stopped(each: _Running) -> Outcome:
    return Outcome(PREEMPTED, "preempted", TAKEN_OVER if each.is_lost else WITH_THE_SWEEP)


def _cause(error: Any) -> str:
    """What a worker could not do at all, such as to import qaexp."""
    cause = getattr(error, "cause", None) or error
    return f"its worker of Ray could not run it: {type(cause).__name__}: {_first_line(cause)}"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason is known")[:300]
