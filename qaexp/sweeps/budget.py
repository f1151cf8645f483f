"""A disk budget for the checkpoints of a whole sweep: stopped jobs keep what there is room for."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from qaexp.errors import StorageError
from qaexp.runs.claims import Claims
from qaexp.runs.directory import CHECKPOINTS, SUMMARY
from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.runs.readers.folder import RUNNING, look
from qaexp.storage.folders import remove
from qaexp.storage.reading import MEBIBYTE
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.watcher import Watcher


class Budgeted:
    """A watcher that keeps to the budget whenever a job ends, beside another watcher."""

    def __init__(self, watcher: Watcher, sweep: Path, budget_mib: float | None) -> None:
        """Take whom to tell, the sweep's directory, and the budget; None: no limit."""
        self._watcher, self._sweep, self._budget_mib = watcher, sweep, budget_mib
        self._running: set[str] = set()

    def started(self, job: Job) -> None:
        """A job begins."""
        self._running.add(job.folder.name)
        self._watcher.started(job)

    def elsewhere(self, job: Job, place: str) -> None:
        """A job has begun in another worker: what it keeps is not ours to delete."""
        self._running.add(job.folder.name)
        self._watcher.elsewhere(job, place)

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """A job has ended: what the stopped ones keep is held against the budget."""
        self._running.discard(job.folder.name)
        if self._budget_mib is not None:
            try:
                keep_budget(self._sweep, self._budget_mib, spared=self._running)
            except StorageError as error:  # as of a job of another user: no reason to end those that run
                self.say(f"sweep.max_checkpoint_mib={self._budget_mib:g} is not kept to: {error}")
        self._watcher.ended(job, outcome, seconds)

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Some time has passed."""
        return self._watcher.tick(running)

    def say(self, sentence: str) -> None:
        """Something else is to be told."""
        self._watcher.say(sentence)


def keep_budget(sweep: Path, budget_mib: float, *, spared: Collection[str] = ()) -> list[Path]:
    """Delete checkpoints of jobs that do not run, here or in another worker, until the rest fits.

    All but the newest of each job go first, those of the jobs that were stopped first before the others; then the
    newest, in the same order. A job without a checkpoint starts over. What others store or delete meanwhile counts as
    it is when it is looked at.

    Args:
        sweep: The sweep's directory.
        budget_mib: What all checkpoints in it may take, MiB.
        spared: Names of run directories that are left alone.

    Returns:
        What was deleted.

    Raises:
        StorageError: When the system refuses to delete.
    """
    kept = [path for path in sweep.glob(f"*/{CHECKPOINTS}") if not (path.is_symlink() or path.parent.is_symlink())]
    total = sum(map(_size, kept))
    if total <= budget_mib * MEBIBYTE:
        return []
    stopped = [path.parent for path in kept if not (path.parent / SUMMARY).exists() and path.parent.name not in spared]
    claimed = _claimed(sweep)
    stopped = sorted((run for run in stopped if not _is_at_work(run, claimed)), key=_touched)
    found = {run: find_checkpoints(run) for run in stopped}
    older = [path for run in stopped for path in reversed(found[run][1:])]
    newest = [found[run][0] for run in stopped if found[run]]
    deleted = []
    for path in [*older, *newest]:
        if total <= budget_mib * MEBIBYTE:
            break
        if _is_at_work(path.parents[1], claimed):  # taken up since
            continue
        total -= _size(path)
        _remove(path)
        deleted.append(path)
    return deleted


def _claimed(sweep: Path) -> set[str]:
    """The run ids of the jobs that workers have who are alive."""
    claims = Claims(sweep)
    return {job for job, claim in claims.newest().items() if claim.end is None and claims.is_alive(claim)}


def _is_at_work(run: Path, claimed: Collection[str]) -> bool:
    return run.name.rpartition("-")[2] in claimed or look(run).state == RUNNING


def _touched(run: Path) -> int:
    try:
        return run.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> None:
    """Delete a checkpoint that another worker may be deleting, too."""
    try:
        remove(path)
    except StorageError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise


def _size(folder: Path) -> int:
    """The bytes of a folder's files; what is renamed or deleted meanwhile has none."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(inner, name).lstat().st_size
    return total
