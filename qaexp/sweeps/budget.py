"""A disk budget for the checkpoints of a whole sweep: stopped jobs keep what there is room for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from qaexp.runs.directory import CHECKPOINTS, SUMMARY
from qaexp.runs.kept_checkpoints import find_checkpoints
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
            keep_budget(self._sweep, self._budget_mib, spared=self._running)
        self._watcher.ended(job, outcome, seconds)

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Some time has passed."""
        return self._watcher.tick(running)

    def say(self, sentence: str) -> None:
        """Something else is to be told."""
        self._watcher.say(sentence)


def keep_budget(sweep: Path, budget_mib: float, *, spared: Collection[str] = ()) -> list[Path]:
    """Delete checkpoints of jobs that do not run, until the rest fits.

    All but the newest of each job go first, those of the jobs that were stopped first before the others; then the
    newest, in the same order. A job without a checkpoint starts over.

    Args:
        sweep: The sweep's directory.
        budget_mib: What all checkpoints in it may take, MiB.
        spared: Names of run directories that are left alone.

    Returns:
        What was deleted.
    """
    kept = [path for path in sweep.glob(f"*/{CHECKPOINTS}") if not (path.is_symlink() or path.parent.is_symlink())]
    stopped = [path.parent for path in kept if not (path.parent / SUMMARY).exists()]
    stopped = sorted((run for run in stopped if run.name not in spared), key=lambda run: run.stat().st_mtime_ns)
    found = {run: find_checkpoints(run) for run in stopped}
    older = [path for run in stopped for path in reversed(found[run][1:])]
    newest = [found[run][0] for run in stopped if found[run]]
    total = sum(map(_size, kept))
    deleted = []
    for path in [*older, *newest]:
        if total <= budget_mib * MEBIBYTE:
            break
        total -= _size(path)
        remove(path)
        deleted.append(path)
    return deleted


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
