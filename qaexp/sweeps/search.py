"""`sweep=optuna`: an optimiser draws the next jobs from what the ones before gave; seeds are repeats of a trial."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from qaexp.errors import ConfigError, SweepError
from qaexp.reporting.console import RunConsole
from qaexp.runs.directory import PLOTS, SUMMARY_KEYS
from qaexp.runs.files import make_directory, write_bytes
from qaexp.runs.folder import look
from qaexp.runs.lock import hold, utc_now
from qaexp.runs.progress import progress_of_run
from qaexp.runs.signals import raise_stop, stop_is_requested, watched
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.execute import sweep_console
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import COMPLETED, PRUNED, Outcome
from qaexp.sweeps.plan import make_plan
from qaexp.sweeps.record import write_results
from qaexp.sweeps.sweeper import GridSweeper
from qaexp.sweeps.view import SweepView, print_plan, print_report, print_results

if TYPE_CHECKING:
    from optuna.trial import Trial

    from qaexp.sweeps.study import Search

MAX_FAILED_IN_A_ROW = 5


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
            pruning: With one objective: end trials whose f1 is below the median of the others at the same epoch.

        Raises:
            ConfigError: With all that is wrong.
        """
        super().__init__(params)
        self._objectives = dict(objectives or {"crossfit_f1": "maximize"})
        self._num_trials, self._sampler_seed, self._is_pruning = num_trials, sampler_seed, pruning
        problems = [
            f"hydra.sweeper.objectives.{name}={way}: must be a number of summary.json, to maximize or to minimize"
            for name, way in self._objectives.items()
            if name not in SUMMARY_KEYS or way not in ("maximize", "minimize")
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
            from qaexp.sweeps.space import read_space
            from qaexp.sweeps.study import Search
        except ImportError as error:
            raise ConfigError(f"sweep=optuna: {error.name} is not installed; pip install 'qaexp[optuna]'") from error
        space, console = read_space(self.lines(arguments)), sweep_console()
        self.identified([job for values in space.corners() for job in space.jobs(values)[:1]])
        text = f"{self._num_trials} trials of {len(space.repeats)} jobs each, over {', '.join(space.distributions)}"
        console.print(Text(text))
        if self._config.sweep.dry_run:
            return
        make_directory(self.directory)
        with hold(self.directory), watched(is_alone=False):
            search = Search(
                self.directory,
                space.distributions,
                self._objectives,
                num_trials=self._num_trials,
                seed=self._sampler_seed,
                is_pruning=self._is_pruning,
            )
            jobs, outcomes = self._search(search, space.jobs, console)
            self._end(search, jobs, outcomes, console)

    def _search(self, search: Search, jobs_of: Any, console: RunConsole) -> tuple[list[Job], dict[str, Outcome]]:
        """Run trial after trial until there are enough, a signal comes, or nothing works."""
        all_jobs: dict[str, Job] = {}
        outcomes: dict[str, Outcome] = {}
        failed_in_a_row = 0
        while search.num_left > 0 and not stop_is_requested() and failed_in_a_row < MAX_FAILED_IN_A_ROW:
            trial = search.ask()
            jobs = self.identified(jobs_of(trial.params))
            plan = replace(make_plan(jobs, self.directory), others=())  # those of other trials
            console.print(Text(f"trial {trial.number + 1}, {search.num_left} to go", style="bold"))
            print_plan(console, plan, self.at_once)
            for job in plan.to_run:
                make_directory(job.folder)
            with SweepView(console, plan) as view:
                judge = _Judge(view, search, trial)
                watcher = Budgeted(judge, self.directory, self._config.sweep.max_checkpoint_mib)
                found = dict(self.launch(plan.to_run, watcher)) if plan.to_run else {}
            outcomes |= judge.marked(found)
            all_jobs |= {job.sha256: job for job in jobs}
            if stop_is_requested():
                break  # the next start makes the trial again, and finds what it has of it
            summaries = [_summary(job) for job in jobs]
            search.tell(trial, summaries, is_pruned=judge.is_pruned)
            failed_in_a_row = failed_in_a_row + 1 if None in summaries and not judge.is_pruned else 0
        return list(all_jobs.values()), outcomes

    def _end(self, search: Search, jobs: Sequence[Job], outcomes: Mapping[str, Outcome], console: RunConsole) -> None:
        from qaexp.sweeps.pictures import draw_study

        rows, groups = write_results(self.directory, jobs, outcomes, more={"trials": search.rows()})
        print_results(console, rows, groups, self.directory)
        if not stop_is_requested():
            print_report(console, self.parts.report, self.directory, jobs)
        for name, data in draw_study(search.study, list(search.objectives)).items():
            make_directory(self.directory / PLOTS)
            write_bytes(self.directory / PLOTS / name, data)
        for best in search.study.best_trials:
            values = ", ".join(
                f"{name} {value:.2f}" for name, value in zip(search.objectives, best.values, strict=True)
            )
            params = " ".join(f"{key}={value}" for key, value in best.params.items())
            console.print(Text(f"best: {values} with {params}", style="bold"))
        if stop_is_requested():
            raise_stop()
        if search.num_left > 0:
            raise SweepError(
                f"{MAX_FAILED_IN_A_ROW} trials in a row failed, {search.num_left} were not made; see "
                f"{self.directory}, mend what is wrong, and the same command goes on"
            )


class _Judge:
    """Watches a trial's jobs beside the view, and ends them when Optuna gives the trial up."""

    def __init__(self, view: SweepView, search: Search, trial: Trial) -> None:
        self._view, self._trial = view, trial
        self._can_prune = search.is_pruning
        self._seen = 0
        self.is_pruned = False

    def started(self, job: Job) -> None:
        self._view.started(job)

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self._view.ended(job, self._marked(outcome), seconds)

    def tick(self, running: Sequence[Job]) -> Collection[str]:
        """Report each new epoch's f1; returns all running jobs once the trial is given up."""
        self._view.tick(running)
        for job in running if self._can_prune and not self.is_pruned else ():
            found = progress_of_run(job.folder, utc_now())
            if found is not None and found.latest_f1 is not None and found.num_evaluations > self._seen:
                self._seen = found.num_evaluations
                self._trial.report(found.latest_f1, self._seen)
                self.is_pruned = self._trial.should_prune()
        return {job.sha256 for job in running} if self.is_pruned else ()

    def marked(self, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
        return {sha256: self._marked(outcome) for sha256, outcome in outcomes.items()}

    def _marked(self, outcome: Outcome) -> Outcome:
        if self.is_pruned and outcome.state != COMPLETED and not stop_is_requested():
            return Outcome(PRUNED, "pruned", "given up: below the median of the other trials")
        return outcome


def _summary(job: Job) -> dict[str, Any] | None:
    return look(job.folder).summary
