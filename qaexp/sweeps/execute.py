"""A planned sweep from its first job to its last table: one process holds its directory, and what is missing is run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from qaexp.errors import SweepError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.claims import Claims
from qaexp.runs.lock import hold
from qaexp.runs.slurm import requeued
from qaexp.runs.workers import forget, working
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted, one_line
from qaexp.storage.signals import raise_stop, stop_is_requested, watched
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.outcome import COMPLETED, Outcome
from qaexp.sweeps.plan import make_plan
from qaexp.sweeps.queue import give_another_try
from qaexp.sweeps.sweep_files import THREADS, write_plan, write_results
from qaexp.sweeps.view import SweepView, grouped_failures, print_plan
from qaexp.sweeps.watcher import Watcher

Launch = Callable[[Sequence[Job], Watcher], Mapping[str, Outcome]]
"""Runs jobs, tells the watcher, and returns how they ended by identity; what is missing was not started."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sweep is run.

    Attributes:
        at_once: Jobs at a time, for the estimate; None when it is not known.
        threads: CPU threads of a job whose config says nothing of them; None: what its machine gives.
        max_checkpoint_mib: What the checkpoints of stopped jobs may take together; None: no limit.
        is_shared: Whether other workers may take some of the jobs.
        dry_run: Stop after the plan; nothing is written.
        plan_only: Stop once the plan is written, for workers.
    """

    at_once: int | None = 1
    threads: int | None = None
    max_checkpoint_mib: float | None = None
    is_shared: bool = True
    dry_run: bool = False
    plan_only: bool = False


def run_sweep(
    sweep: Path,
    jobs: Sequence[Job],
    launch: Launch,
    manner: Manner,
    *,
    command_line: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Plan the jobs, run what is missing, and leave the results in the sweep's directory.

    Args:
        sweep: The sweep's directory.
        jobs: All jobs, identified.
        launch: Runs jobs.
        manner: How the sweep is run.
        command_line: The words that started the sweep.
        settings: What else the plan holds, for `qaexp resume`; None leaves the stored plan as it is.

    Raises:
        BusyError: Another process holds this sweep.
        StorageError: The directory cannot be written.
        Stopped: A signal came; the jobs have stored what they did.
        SweepError: Jobs failed; the others have been run.
    """
    console = sweep_console()
    plan = make_plan(jobs, sweep)
    if not manner.is_shared:
        plan.check_alone()
    print_plan(console, plan, manner.at_once)
    if manner.dry_run:
        return
    outcomes: Mapping[str, Outcome] = {}
    if not plan.to_run:
        done = counted(len(plan.jobs), "job")
        console.print(f"already completed: {done}; nothing to do (another name= runs all again)")
    if plan.to_run:
        make_directory(sweep)
        with hold(sweep), requeued(is_main=True), watched(is_alone=False):
            # Another process may have run some of them since.
            plan = make_plan(jobs, sweep)
            if settings is not None:
                write_plan(sweep, plan, command_line, {**settings, THREADS: manner.threads})
            _let_retry(sweep, plan.to_run)
            if manner.plan_only:
                tell_workers(console, sweep)
                return
            with SweepView(console, plan) as view:
                to_run = [job.with_threads(manner.threads) for job in plan.to_run]
                outcomes = launch(to_run, Budgeted(view, sweep, manner.max_checkpoint_mib))
            rows, groups = write_results(sweep, [planned.job for planned in plan.jobs], outcomes)
            print_end(console, rows, groups, sweep, jobs)
            if stop_is_requested():
                raise_stop()
            if are_completed(rows):
                forget(sweep)
    else:
        rows, groups = write_results(sweep, [planned.job for planned in plan.jobs], outcomes)
        print_end(console, rows, groups, sweep, jobs)
    check_ended(rows, sweep)


def _let_retry(sweep: Path, jobs: Sequence[Job]) -> None:
    """The plan is made anew: jobs that failed under the one before are run again, by whatever worker."""
    if Claims(sweep).newest():
        with working(sweep) as claims:
            give_another_try(claims, jobs)


def tell_workers(console: RunConsole, sweep: Path) -> None:
    """Say how a sweep that is planned, and no more, is run."""
    words = (
        f"planned, nothing is run: start as many workers as you like, on any machine that sees the folder: qaexp work "
        f"{shlex.quote(str(sweep))}"
    )
    console.print(Text(one_line(words)), soft_wrap=not console.is_terminal)


def sweep_console() -> RunConsole:
    """A console for tables; a pipe has no width, and cuts none off."""
    console = RunConsole()
    if not console.is_terminal:
        console.width = 10_000
    return console


def are_completed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all planned jobs of a sweep are completed, by the rows of its sweep.json."""
    return all(row["state"] == COMPLETED for row in rows if row["is_planned"])


def check_ended(
    rows: Sequence[Mapping[str, Any]], sweep: Path, way_out: str = "the same command runs what is missing"
) -> None:
    """Raise when not all planned jobs are completed.

    Args:
        rows: The rows of sweep.json.
        sweep: The sweep's directory.
        way_out: What there is to do, for the end of the message.

    Raises:
        SweepError: How many failed, and why; how many were not run to their end.
    """
    planned = [row for row in rows if row["is_planned"]]
    missing = [row for row in planned if row["state"] != "completed"]
    if not missing:
        return
    sentences = [
        f"{len(failed)} of {counted(len(planned), 'job')} failed: {message} (see {sweep / failed[0]['path']})"
        for message, failed in grouped_failures(rows, sweep).items()
    ]
    waiting = sum(row["state"] in ("planned", "preempted") for row in missing)
    if waiting:
        sentences.append(
            f"{waiting} of {counted(len(planned), 'job')} {'was' if waiting == 1 else 'were'} not run to the end"
        )
    raise SweepError(*sentences[:-1], f"{sentences[-1]}; {way_out}")
