"""`sweep=race`: rounds of one more seed for each configuration that is not yet worse, until the best is known."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text

from qaexp.comparison.racing import MIN_SEEDS
from qaexp.errors import BusyError, ConfigError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.claims import Claims
from qaexp.runs.lock import hold
from qaexp.runs.slurm import requeued
from qaexp.runs.workers import forget, working
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import one_line
from qaexp.storage.signals import raise_stop, stop_is_requested, watched
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.execute import are_completed, check_ended, sweep_console, tell_workers
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.launching import Work, WorkersLauncher
from qaexp.sweeps.optuna.planned import search_settings, threads_of_worker
from qaexp.sweeps.outcome import FAILURES, Outcome
from qaexp.sweeps.plan import Plan, make_plan
from qaexp.sweeps.policy import read_policy
from qaexp.sweeps.queue import failed_before, give_another_try
from qaexp.sweeps.race.course import Round, Rules
from qaexp.sweeps.race.elsewhere import RoundsElsewhere
from qaexp.sweeps.race.entrants import read_field, scored_by
from qaexp.sweeps.race.record import write_race
from qaexp.sweeps.race.track import Track
from qaexp.sweeps.race.words import announced, end_lines, round_lines
from qaexp.sweeps.sweep_files import write_plan, write_results
from qaexp.sweeps.sweeper import GridSweeper
from qaexp.sweeps.view import SweepView, print_plan
from qaexp.sweeps.watcher import Watcher
from qaexp.sweeps.worker import about_this_worker


class RaceSweeper(GridSweeper):
    """Races configurations, round by round."""

    def __init__(
        self,
        params: Mapping[str, Any] | None = None,
        metric: str = "crossfit_f1",
        relevant: float | None = None,
        budget_runs: int | None = None,
        budget_steps: int | None = None,
        budget_seconds: float | None = None,
    ) -> None:
        """Take the keys of `hydra.sweeper`.

        Args:
            params: Key to its values, as an override gives them; the command line goes before.
            metric: A score of each dev question, by which configurations are compared.
            relevant: The smallest difference that matters; None: that of the metric.
            budget_runs: So many runs at most, those of earlier starts counted; None: no limit.
            budget_steps: The same in steps of training.
            budget_seconds: The same in seconds, those of all runs added up.

        Raises:
            ConfigError: With all that is wrong.
        """
        super().__init__(params)
        row = scored_by(metric)
        problems = [
            f"hydra.sweeper.{name}={value}: must be a {what} above 0, or null; set it to one"
            for name, value, kinds, what in (
                ("relevant", relevant, (int, float), "number"),
                ("budget_runs", budget_runs, (int,), "whole number"),
                ("budget_steps", budget_steps, (int,), "whole number"),
                ("budget_seconds", budget_seconds, (int, float), "number"),
            )
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or not value > 0)
        ]
        if problems:
            raise ConfigError(*problems)
        self._rules = Rules(
            metric,
            str(row.better),
            row.relevant if relevant is None else float(relevant),
            budget_runs=budget_runs,
            budget_steps=budget_steps,
            budget_seconds=budget_seconds,
        )
        self._outcomes: dict[str, Outcome] = {}

    def sweep(self, arguments: list[str]) -> None:
        """Race; the same command goes on where it stopped.

        Raises:
            QaexpError: As `run_sweep`, or all that is wrong with the configurations.
        """
        field, console = read_field(self.lines(arguments)), sweep_console()
        entries = field.entries(self.identified(field.lines))
        self._check_budget(len(entries))
        corners = [entry.jobs[0] for entry in entries]
        for sentence in announced([entry.name for entry in entries], len(field.seeds), self._rules):
            _say(console, sentence)
        track = Track(entries, field.seeds, self._rules)
        if self._config.sweep.dry_run:
            print_plan(console, make_plan(track.jobs(), self.directory), self.at_once)
            return
        make_directory(self.directory)
        if self._worker is not None:
            self._planned_threads = threads_of_worker(self.directory, corners)
            self._work_beside_others(track, console)
            return
        with hold(self.directory), requeued(is_main=True), watched(is_alone=False):
            # No list of jobs: which come next follows from those before.
            settings = {**self.settings, **search_settings(self.threads, corners)}
            write_plan(self.directory, Plan([]), self.command_line, settings)
            if self._config.sweep.plan_only:
                tell_workers(console, self.directory)
            else:
                self._work(track, console)

    @property
    def threads(self) -> int | None:
        """CPU threads of a job whose config says nothing of them: a worker's are those that were planned."""
        return super().threads if self._worker is None else self._planned_threads

    def launch(self, jobs: Sequence[Job], watcher: Watcher) -> Mapping[str, Outcome]:
        """Run jobs by the launcher that was chosen; a worker takes as many as it was asked to."""
        if self._worker is None or self._own is None:
            return super().launch(jobs, watcher)
        limit, about = 1 if self._worker.is_one else None, about_this_worker()
        policy = read_policy(self._config.sweep.on_failure)
        work = Work(self.directory, jobs, policy, self._num_gpus, until=self._until, limit=limit, about=about)
        return self._own.run(work, watcher)

    def _check_budget(self, num_entrants: int) -> None:
        least, budget = MIN_SEEDS * num_entrants, self._rules.budget_runs
        if budget is not None and budget < least:
            raise ConfigError(
                f"hydra.sweeper.budget_runs={budget}: the first round takes {least} runs ({MIN_SEEDS} seeds of "
                f"{num_entrants} configurations), and nothing is known before; give more, or fewer configurations"
            )

    def _work(self, track: Track, console: RunConsole) -> None:
        """Run the race as its own command, which holds the directory, and leave its results."""
        with self.launching(), working(self.directory, about_this_worker()) as claims:
            self._tell(console, track, track.advance({}))
            if isinstance(self._own, WorkersLauncher) and track.course.end is None:
                self._attend(track, console, claims, self._own)
            else:
                self._race(track, console, claims)
            self._write_all(track, console, claims)

    def _attend(self, track: Track, console: RunConsole, claims: Claims, launcher: WorkersLauncher) -> None:
        """Keep workers alive elsewhere that run the jobs."""
        give_another_try(claims, track.jobs())
        rounds = RoundsElsewhere(track, claims, lambda made: self._tell(console, track, made))
        launcher.attend(claims, len(track.jobs()), rounds, lambda sentence: _say(console, sentence))

    def _work_beside_others(self, track: Track, console: RunConsole) -> None:
        """Run jobs as one of any number of workers, and write the results if nothing is left."""
        assert self._worker is not None
        if self._worker.seconds is not None:
            self._until = time.monotonic() + self._worker.seconds
        with self.launching(), working(self.directory, about_this_worker()) as claims:
            self._tell(console, track, track.advance(failed_before(claims, track.jobs())))
            self._race(track, console, claims)
            if stop_is_requested():
                raise_stop()
            if track.course.end is not None:
                self._end_as_worker(track, console, claims)

    def _end_as_worker(self, track: Track, console: RunConsole, claims: Claims) -> None:
        """Write the results, unless another process is at it."""
        try:
            with hold(self.directory):
                self._write_all(track, console, claims)
        except BusyError:
            _say(console, f"nothing is missing; another process writes the results in {self.directory}")

    def _race(self, track: Track, console: RunConsole, claims: Claims) -> None:
        """Run round after round until the race is over, a signal comes, or jobs have not ended that should have."""
        policy = read_policy(self._config.sweep.on_failure)
        # From the first round on others see that it is a race.
        write_race(self.directory, track.course)
        while (jobs := track.jobs()) and not stop_is_requested() and not self._is_over:
            self._run_round(jobs, console, claims)
            failures = {
                sha256: outcome.message for sha256, outcome in self._outcomes.items() if outcome.state in FAILURES
            }
            made = track.advance(failures)
            self._tell(console, track, made)
            is_enough = self._worker is not None and self._worker.is_one
            if not made or is_enough or policy.is_over(len(failures)):
                return

    @property
    def _is_over(self) -> bool:
        """Whether the time that was given is over."""
        return self._until is not None and time.monotonic() >= self._until

    def _run_round(self, jobs: Sequence[Job], console: RunConsole, claims: Claims) -> None:
        """Run what is missing of a round."""
        plan = replace(make_plan(jobs, self.directory), others=())  # those of rounds before
        print_plan(console, plan, self.at_once)
        if self._worker is None:
            give_another_try(claims, plan.to_run)
        with SweepView(console, plan) as view:
            watcher = Budgeted(view, self.directory, self._config.sweep.max_checkpoint_mib)
            found = self.launch(self.with_threads(plan.to_run), watcher) if plan.to_run else {}
        self._outcomes |= found
        if not found and self._worker is not None and self._worker.is_one:
            _say(console, "no run is to be had: other workers are at those that are left")

    def _tell(self, console: RunConsole, track: Track, made: Sequence[Round]) -> None:
        """Say what rounds decided, and keep it."""
        first = len(track.course.rounds) - len(made) + 1
        for number, one in enumerate(made, first):
            for place, line in enumerate(round_lines(number, one, track.course)):
                console.print(Text(one_line(line), style="" if place else "bold"), soft_wrap=not console.is_terminal)
        if made:
            write_race(self.directory, track.course)

    def _write_all(self, track: Track, console: RunConsole, claims: Claims) -> None:
        """Write what came of the race, and show it.

        Raises:
            Stopped: A signal came.
            SweepError: Jobs failed, or have not ended.
        """
        write_race(self.directory, track.course)
        rows, groups = write_results(self.directory, track.begun, self._outcomes)
        print_end(console, rows, groups, self.directory, track.begun)
        for place, line in enumerate(end_lines(track.course)):
            console.print(Text(one_line(line), style="" if place else "bold"), soft_wrap=not console.is_terminal)
        if stop_is_requested():
            raise_stop()
        if are_completed(rows) and track.course.end is not None:
            forget(self.directory, claims.worker)
        check_ended(rows, self.directory)


def _say(console: RunConsole, sentence: str) -> None:
    console.print(Text(one_line(sentence)), soft_wrap=not console.is_terminal)
