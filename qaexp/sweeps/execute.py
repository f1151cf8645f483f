"""A planned sweep from its first job to its last table: one process holds its directory, and what is missing is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import SweepError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.lock import hold
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import counted
from qaexp.storage.signals import raise_stop, stop_is_requested, watched
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.plan import make_plan
from qaexp.sweeps.pool import Watcher
from qaexp.sweeps.sweep_files import write_plan, write_results
from qaexp.sweeps.view import SweepView, grouped_failures, print_plan

Launch = Callable[[Sequence[Job], Watcher], Mapping[str, Outcome]]
"""Runs jobs, tells the watcher, and returns how they ended by identity; what is missing was not started."""


def run_sweep(
    sweep: Path,
    jobs: Sequence[Job],
    launch: Launch,
    *,
    command_line: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    at_once: int | None = 1,
    max_checkpoint_mib: float | None = None,
    dry_run: bool = False,
) -> None:
    """Plan the jobs, run what is missing, and leave the results in the sweep's directory.

    Args:
        sweep: The sweep's directory.
        jobs: All jobs, identified.
        launch: Runs jobs.
        command_line: The words that started the sweep.
        settings: Of the launcher, for `qaexp resume`; None leaves the stored plan as it is.
        at_once: Jobs at a time, for the estimate; None when it is not known.
        max_checkpoint_mib: What the checkpoints of stopped jobs may take together; None: no limit.
        dry_run: Stop after the plan; nothing is written.

    Raises:
        BusyError: Another process works on this sweep.
        StorageError: The directory cannot be written.
        Stopped: A signal came; the jobs have stored what they did.
        SweepError: Jobs failed; the others have been run.
    """
    console = sweep_console()
    plan = make_plan(jobs, sweep)
    print_plan(console, plan, at_once)
    if dry_run:
        return
    outcomes: Mapping[str, Outcome] = {}
    if not plan.to_run:
        done = counted(len(plan.jobs), "job")
        console.print(f"already completed: {done}; nothing to do (another name= runs all again)")
    if plan.to_run:
        make_directory(sweep)
        with hold(sweep), watched(is_alone=False):
            # Another process may have run some of them since.
            plan = make_plan(jobs, sweep)
            if settings is not None:
                write_plan(sweep, plan, command_line, settings)
            for job in plan.to_run:
                make_directory(job.folder)
            with SweepView(console, plan) as view:
                outcomes = launch(plan.to_run, Budgeted(view, sweep, max_checkpoint_mib))
            rows, groups = write_results(sweep, [planned.job for planned in plan.jobs], outcomes)
            print_end(console, rows, groups, sweep, jobs)
            if stop_is_requested():
                raise_stop()
    else:
        rows, groups = write_results(sweep, [planned.job for planned in plan.jobs], outcomes)
        print_end(console, rows, groups, sweep, jobs)
    _check(rows, sweep)


def sweep_console() -> RunConsole:
    """A console for tables; a pipe has no width, and cuts none off."""
    console = RunConsole()
    if not console.is_terminal:
        console.width = 10_000
    return console


def _check(rows: Sequence[Mapping[str, Any]], sweep: Path) -> None:
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
    raise SweepError(*sentences[:-1], f"{sentences[-1]}; the same command runs what is missing")
