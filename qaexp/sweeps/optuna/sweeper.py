"""`sweep=optuna`: an optimiser draws the next jobs from what the ones before gave; seeds are repeats of a trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from qaexp.errors import BusyError, ConfigError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.claims import Claims
from qaexp.runs.lock import hold
from qaexp.runs.metrics import NUMBERS
from qaexp.runs.readers.folder import look
from qaexp.runs.slurm import requeued
from qaexp.runs.workers import turn, working
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted, one_line
from qaexp.storage.signals import raise_stop, stop_is_requested, watched
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.execute import sweep_console, tell_workers
from qaexp.sweeps.job import Job
from qaexp.sweeps.launching import WorkersLauncher
from qaexp.sweeps.optuna.held import LostTrialError
from qaexp.sweeps.optuna.judge import Judge
from qaexp.sweeps.optuna.made import Made
from qaexp.sweeps.optuna.planned import search_settings, threads_of_worker
from qaexp.sweeps.optuna.pruning import MAXIMIZE, MINIMIZE, odd_ways, watched_number
from qaexp.sweeps.optuna.results import close, stand, write_all
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.plan import Plan, make_plan
from qaexp.sweeps.queue import give_another_try
from qaexp.sweeps.sweep_files import write_plan
from qaexp.sweeps.sweeper import GridSweeper
from qaexp.sweeps.view import SweepView, print_plan
from qaexp.sweeps.worker import Asked, about_this_worker

if TYPE_CHECKING:
    from optuna.trial import Trial

    from qaexp.sweeps.optuna.space import Space
    from qaexp.sweeps.optuna.study import Search

_POLL_SECONDS = 0.5
_LEAST_WAIT_SECONDS, _MOST_WAIT_SECONDS = 1.0, 10.0

Lines = list[tuple[tuple[str, ...], tuple[str, ...]]]
"""The override lines of each job of a trial, and those of them that set it apart."""


class SearchSweeper(GridSweeper):
    """Searches ranges of values with Optuna (TPE), trial by trial."""

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        num_trials: int = 20,
        objectives: Mapping[str, str] | None = None,
        sampler_seed: int = 0,
        pruning: bool = True,
    ) -> None:
        """Take the keys of `hydra.sweeper`.

        Args:
            params: Key to its range or values, as an override gives them; the command line goes before.
            num_trials: Trials in all, those of earlier starts counted.
            objectives: Numbers of summary.json, each to `maximize` or to `minimize`.
            sampler_seed: What is drawn follows from it and from the trials before.
            pruning: With one objective that has a value per epoch, or another score that stands for it: end trials
                that are worse than the median of the completed ones at the same epoch.

        Raises:
            ConfigError: With all that is wrong.
        """
        super().__init__(params)
        self._objectives = dict(objectives or {"crossfit_f1": "maximize"})
        self._num_trials, self._sampler_seed, self._is_pruning = num_trials, sampler_seed, pruning
        problems = [
            f"hydra.sweeper.objectives.{name}={way}: must be a number of summary.json, to maximize or to minimize"
            for name, way in self._objectives.items()
            if name not in NUMBERS or way not in (MAXIMIZE, MINIMIZE)
        ]
        if isinstance(num_trials, bool) or not isinstance(num_trials, int) or num_trials < 1:
            problems.append(f"hydra.sweeper.num_trials={num_trials}: must be a whole number from 1 on; set it to one")
        if problems:
            raise ConfigError(*problems)

    def sweep(self, arguments: list[str]) -> None:
        """Search; the same command goes on where it stopped.

        Raises:
            QaexpError: As `run_sweep`, or all that is wrong with the space.
        """
        try:
            from qaexp.sweeps.optuna.space import read_space
        except ImportError as error:
            raise ConfigError(f"sweep=optuna: {error.name} is not installed; pip install 'qaexp[optuna]'") from error
        space, console = read_space(self.lines(arguments)), sweep_console()
        corners = self.identified([job for values in space.corners() for job in space.jobs(values)[:1]])
        for sentence in self._announced(len(space.repeats), list(space.distributions)):
            console.print(Text(one_line(sentence)))
        if self._config.sweep.dry_run:
            return
        make_directory(self.directory)
        if self._worker is not None:
            self._planned_threads = threads_of_worker(self.directory, corners)
            self._work(space, console, self._worker)
            return
        with hold(self.directory), requeued(is_main=True), watched(is_alone=False):
            # No list of jobs: what is drawn next follows from the trials before.
            settings = {**self.settings, **search_settings(self.threads, corners)}
            write_plan(self.directory, Plan([]), self.command_line, settings)
            if self._config.sweep.plan_only:
                tell_workers(console, self.directory)
            elif isinstance(self._own, WorkersLauncher):
                self._attend(space, console, self._own)
            else:
                self._work(space, console, None)

    @property
    def threads(self) -> int | None:
        """CPU threads of a job whose config says nothing of them: a worker's are those that were planned."""
        return super().threads if self._worker is None else self._planned_threads

    def _attend(self, space: Space, console: RunConsole, launcher: WorkersLauncher) -> None:
        """Keep workers alive elsewhere that make the trials, and write the results."""
        from qaexp.sweeps.optuna.elsewhere import TrialsElsewhere

        def say(sentence: str) -> None:
            console.print(Text(one_line(sentence)), soft_wrap=True)

        with self.launching(), working(self.directory, {"role": "watches"}) as claims:
            with turn(claims):
                search = self._opened(space, claims)
            if search.num_left > 0:
                launcher.attend(claims, search.num_left, TrialsElsewhere(search, say), say)
            write_all(self.directory, search, self._with_all_jobs(Made(claims), search, space), console)
            close(self.directory, search, claims)

    def _work(self, space: Space, console: RunConsole, worker: Asked | None) -> None:
        """Make trials as one of any number of workers, and write the results if nothing is left.

        Args:
            space: What is drawn from.
            console: Where to.
            worker: What to do; None: this is the sweep's own command, which holds its directory.
        """
        with self.launching(), working(self.directory, about_this_worker()) as claims:
            with turn(claims):
                search = self._opened(space, claims)
            if self._may_prune and search.watched is None:
                console.print(Text(one_line(f"pruning is off: {search.why_off}")))
            if worker is not None and worker.seconds is not None:
                self._until = time.monotonic() + worker.seconds
            made = Made(claims, num_most=1 if worker is not None and worker.is_one else None)
            self._search(search, space.jobs, console, made)
            if worker is None:
                write_all(self.directory, search, made, console)
                close(self.directory, search, claims)
            elif stop_is_requested():
                raise_stop()
            elif search.num_left <= 0 or search.is_hopeless:
                self._end_as_worker(search, self._with_all_jobs(made, search, space), console)

    def _with_all_jobs(self, made: Made, search: Search, space: Space) -> Made:
        """With the jobs of all trials, whoever made them: the results tell of all."""
        lines = [line for trial in search.begun_trials() for line in space.jobs(trial.params)]
        made.add(self.identified(lines) if lines else [], {})
        return made

    def _opened(self, space: Space, claims: Claims) -> Search:
        from qaexp.sweeps.optuna.study import Search

        return Search(
            self.directory,
            space.distributions,
            self._objectives,
            num_trials=self._num_trials,
            seed=self._sampler_seed,
            is_pruning=self._is_pruning and self.at_once is not None,
            claims=claims,
        )

    def _end_as_worker(self, search: Search, made: Made, console: RunConsole) -> None:
        """Write the results, unless another process is at it."""
        try:
            with hold(self.directory):
                if stand(self.directory, search, wants_page=self._config.reporter.html):
                    words = f"the results stand in {self.directory}"
                    console.print(Text(one_line(words)), soft_wrap=True)
                else:
                    write_all(self.directory, search, made, console)
                close(self.directory, search, made.claims)
        except BusyError:
            words = f"nothing is missing; another process writes the results in {self.directory}"
            console.print(Text(one_line(words)), soft_wrap=True)

    @property
    def _may_prune(self) -> bool:
        """Nothing that is known before the search is opened speaks against giving trials up."""
        return self._is_pruning and self.at_once is not None and watched_number(self._objectives)[0] is not None

    def _announced(self, num_repeats: int, keys: Sequence[str]) -> list[str]:
        """What is going to be searched, and what of it may not be meant."""
        jobs = counted(num_repeats, "job")
        objectives = ", ".join(f"{name} ({way})" for name, way in self._objectives.items())
        found = [
            f"{counted(self._num_trials, 'trial')} of {jobs} each, over {', '.join(keys)}; for {objectives}",
            *(f"WARNING: {sentence}" for sentence in odd_ways(self._objectives)),
        ]
        if self._is_pruning and not self._may_prune:
            launcher = "hydra/launcher=local, slurm and ray alone can end jobs" if self.at_once is None else ""
            found.append(f"pruning is off: {watched_number(self._objectives)[1] or launcher}")
        return found

    def _search(
        self, search: Search, lines_of: Callable[[Mapping[str, Any]], Lines], console: RunConsole, made: Made
    ) -> None:
        """Run trial after trial until there are enough, a signal comes, the time is over, or nothing works."""
        seconds = _LEAST_WAIT_SECONDS
        while not (stop_is_requested() or made.is_enough or search.is_hopeless or self._is_over):
            trial = _drawn(search, made.claims)
            if trial is None:
                if search.num_left <= 0:
                    return
                if made.num_most is not None:
                    console.print("no trial is to be had: other workers are at those that are left")
                    return
                self._wait(seconds)  # one of those may be given up by a worker that dies
                seconds = min(2 * seconds, _MOST_WAIT_SECONDS)
                continue
            seconds = _LEAST_WAIT_SECONDS
            try:
                self._make(search, trial, self.identified(lines_of(trial.params)), console, made)
            except LostTrialError:
                console.print(f"trial {trial.number + 1}: another worker took it over")
                search.put_down(trial)

    def _make(self, search: Search, trial: Trial, jobs: Sequence[Job], console: RunConsole, made: Made) -> None:
        """Run the jobs of a trial, and tell what came of it.

        Raises:
            LostTrialError: Another worker took it over.
        """
        search.begun(trial, [job.run_id for job in jobs])
        console.print(Text(f"trial {trial.number + 1}, {search.num_left} to go", style="bold"))
        judge, found = self._tried(search, trial, jobs, console, made)
        made.add(jobs, found)
        if stop_is_requested() or self._is_over:
            search.put_down(trial)
            return  # the next start makes the trial again, and finds what it has of it
        summaries = [_summary(job) for job in jobs]
        failure = search.tell(trial, summaries, is_pruned=judge.reason is not None, why=judge.reason)
        if failure:
            console.print(Text(one_line(f"trial {trial.number + 1} failed: {failure}")))
        made.num_trials += 1

    def _wait(self, seconds: float) -> None:
        """Let others work, unless a signal comes or the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not (stop_is_requested() or self._is_over):
            time.sleep(_POLL_SECONDS)

    @property
    def _is_over(self) -> bool:
        """Whether the time that was given is over."""
        return self._until is not None and time.monotonic() >= self._until

    def _tried(
        self, search: Search, trial: Trial, jobs: Sequence[Job], console: RunConsole, made: Made
    ) -> tuple[Judge, dict[str, Outcome]]:
        """Run what is missing of a trial's jobs; returns who judged them, and how those that were started ended."""
        plan = replace(make_plan(jobs, self.directory), others=())  # those of other trials
        print_plan(console, plan, self.at_once)
        give_another_try(made.claims, plan.to_run)
        with SweepView(console, plan) as view:
            judge = Judge(view, search, trial, jobs, can_end_jobs=self.at_once is not None)
            watcher = Budgeted(judge, self.directory, self._config.sweep.max_checkpoint_mib)
            found = dict(self.launch(self.with_threads(plan.to_run), watcher)) if plan.to_run else {}
        return judge, judge.close(found)


def _drawn(search: Search, claims: Claims) -> Trial | None:
    """The next trial; None while there is none. A turn is taken only where one is left."""
    if not search.has_next:
        return None
    with turn(claims):
        return search.next_trial()


def _summary(job: Job) -> dict[str, Any] | None:
    return look(job.folder).summary
