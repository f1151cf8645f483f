"""A trial while it runs: what it has at each epoch's end is held against the other trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.job import Job
from qaexp.sweeps.optuna.held import LostTrialError
from qaexp.sweeps.optuna.pruning import ended_epochs
from qaexp.sweeps.outcome import PREEMPTED, PRUNED, Outcome
from qaexp.sweeps.watcher import Watcher

if TYPE_CHECKING:
    from optuna.trial import Trial

    from qaexp.sweeps.optuna.study import Search


class Judge:
    """Watches a trial's jobs beside the view, and ends them when the trial is given up.

    The first job stands for the trial: its seeds are those of the first job of every other trial, so that like is held
    against like however many jobs run at a time.
    """

    def __init__(
        self, view: Watcher, search: Search, trial: Trial, jobs: Sequence[Job], *, can_end_jobs: bool = True
    ) -> None:
        """Take whom to tell, the search, the trial with its jobs, one a repeat, and whether they can be ended."""
        self._view, self._search, self._trial, self._first = view, search, trial, jobs[0]
        common = set.intersection(*(set(job.changes) for job in jobs))
        self._seeds = " ".join(word for word in jobs[0].changes if word not in common)
        self._epochs: set[int] = set()
        self._can_end_jobs, self._here, self._is_lost = can_end_jobs, set[str](), False
        self.reason: str | None = None

    def started(self, job: Job) -> None:
        """A job begins."""
        self._here.add(job.sha256)
        self._view.started(job)

    def elsewhere(self, job: Job, place: str) -> None:
        """A job has begun in another worker."""
        self._view.elsewhere(job, place)

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """A job has ended; epochs that went by since the last look are reported too."""
        self._here.discard(job.sha256)
        self._look(may_give_up=True)
        self._view.ended(job, self._marked(outcome), seconds)

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Report each epoch that has ended; returns all running jobs once the trial is given up, or lost.

        Raises:
            LostTrialError: Another worker took it over, and none of its jobs runs here any more.
        """
        self._view.tick(running)
        self._look(may_give_up=True)
        if self._is_lost and self._can_end_jobs and not self._here:
            raise LostTrialError
        return {job.sha256 for job in running} if self.reason or self._is_lost else ()

    def say(self, sentence: str) -> None:
        """Something else is to be told."""
        self._view.say(sentence)

    def close(self, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Report what no look has seen, as of a run that was there before; returns how the jobs ended.

        Raises:
            LostTrialError: Another worker took the trial over.
        """
        self._look(may_give_up=False)
        if self._is_lost:
            raise LostTrialError
        return {sha256: self._marked(outcome) for sha256, outcome in outcomes.items()}

    def _look(self, *, may_give_up: bool) -> None:
        """See whether the trial is still ours, and what is new; that it is lost is no error before its jobs ended."""
        try:
            self._search.check_own(self._trial)
            self._report(may_give_up=may_give_up)
        except LostTrialError:
            self._is_lost = True

    def _report(self, *, may_give_up: bool) -> None:
        if self._search.watched is None:
            return
        for epoch, value in sorted(ended_epochs(self._first.folder, self._search.watched.metric).items()):
            if epoch not in self._epochs:
                self._epochs.add(epoch)
                found = self._search.report(self._trial, epoch, value, of=self._seeds)
                if may_give_up:
                    self.reason = self.reason or found

    def _marked(self, outcome: Outcome) -> Outcome:
        if self._is_lost and outcome.state == PREEMPTED:
            return Outcome(PREEMPTED, "preempted", "another worker took its trial over")
        if self.reason and outcome.state == PREEMPTED and not stop_is_requested():
            return Outcome(PRUNED, "pruned", self.reason)
        return outcome
