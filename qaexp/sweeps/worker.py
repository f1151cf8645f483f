"""One worker of a sweep, from the sweep's folder alone: it runs jobs that nobody has until nothing is missing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from qaexp.errors import BusyError, ConfigError, SweepError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.directory import SWEEP, SWEEP_PLAN
from qaexp.runs.identity import code_hash
from qaexp.runs.lock import hold
from qaexp.runs.readers.folder import COMPLETED, look
from qaexp.runs.slurm import job_id
from qaexp.runs.workers import forget, working
from qaexp.storage.formats import counted, one_line
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.execute import are_completed, check_ended, sweep_console
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.launching import Work
from qaexp.sweeps.outcome import FAILED, TIMEOUT, Outcome
from qaexp.sweeps.plan import ELSEWHERE, REUSE, Plan, make_plan
from qaexp.sweeps.policy import read_policy
from qaexp.sweeps.queue import give_another_try
from qaexp.sweeps.sweep_files import StoredPlan, results_stand, write_results
from qaexp.sweeps.view import SweepView

_RETRY = "mend the cause, and qaexp work --retry runs what failed once more"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a worker is to do.

    Attributes:
        only: The run id or the folder of the one job that it takes; None: whatever is missing.
        is_one: It takes one job, and ends.
        seconds: After so long it stops its job with a checkpoint, and ends; None: never.
        retries: Jobs that failed are run once more.
    """

    only: str | None = None
    is_one: bool = False
    seconds: float | None = None
    retries: bool = False


@dataclass(frozen=True, slots=True)
class Worked:
    """How a worker ended.

    Attributes:
        outcomes: How the jobs that it saw end ended, by identity.
        num_left: So many jobs are neither completed nor failed.
    """

    outcomes: Mapping[str, Outcome]
    num_left: int


def check_same(plan: StoredPlan, jobs: Sequence[Job], sweep: Path, *, allow_drift: bool) -> None:
    """Refuse to work with other code, data or weights than those that were planned.

    Args:
        plan: What plan.json says.
        jobs: Its jobs as this machine identifies them.
        sweep: The sweep's directory.
        allow_drift: Whether other code is allowed; other data or weights make another run, and never are.

    Raises:
        ConfigError: Naming what differs.
    """
    if plan.code_hash not in (None, code_hash()) and not allow_drift:
        raise ConfigError(
            f"{sweep / SWEEP_PLAN}: planned by other code of qaexp than this one; install the same version on every "
            "machine, plan the sweep again with this one, or add trainer.allow_drift=true"
        )
    other = [(known, job) for known, job in zip(plan.run_ids, jobs, strict=True) if known != job.run_id]
    if other:
        known, job = other[0]
        inputs = ", ".join(
            f"{key}={value}"
            for key, value in (
                ("data.train_file", job.config.data.train_file),
                ("data.dev_file", job.config.data.dev_file),
                ("model.checkpoint", job.config.model.checkpoint),
            )
            if value is not None
        )
        raise ConfigError(
            f"{sweep / SWEEP_PLAN}: data or weights here are not those that were planned ({inputs}): {job.label} would "
            f"be run {job.run_id} instead of {known} ({len(other)} of {counted(len(jobs), 'job')}); bring the same "
            "files here, or plan the sweep again"
        )


def work(sweep: Path, plan: StoredPlan, jobs: Sequence[Job], num_gpus: int, asked: Asked) -> Worked:
    """Run jobs of a planned sweep that nobody else has.

    Args:
        sweep: The sweep's directory.
        plan: What its plan.json says.
        jobs: Its jobs, identified.
        num_gpus: How many GPUs this machine has.
        asked: What to do.

    Raises:
        BusyError: Another worker has the one job that was asked for.
        ConfigError: There is no such job.
        StorageError: The directory cannot be written.
        SweepError: Jobs failed, and nothing is left that could be run.
    """
    console, began = sweep_console(), time.monotonic()
    wanted = [job.with_threads(plan.threads) for job in _wanted(jobs, asked.only, sweep)]
    planned = make_plan(wanted, sweep)
    console.print(_words(_tally(planned)), soft_wrap=True)
    outcomes: Mapping[str, Outcome] = {}
    if planned.to_run:
        if asked.retries or asked.only is not None:
            with working(sweep) as claims:
                give_another_try(claims, planned.to_run)
        until = None if asked.seconds is None else began + asked.seconds
        limit = 1 if asked.is_one or asked.only is not None else None
        policy = read_policy(plan.on_failure)
        todo = Work(sweep, planned.to_run, policy, num_gpus, until=until, limit=limit, about=about_this_worker())
        with SweepView(console, planned, tells_others=False) as view:
            outcomes = _launcher(plan).run(todo, Budgeted(view, sweep, plan.max_checkpoint_mib))
    if asked.only is not None and planned.to_run and not (outcomes or stop_is_requested()):
        raise BusyError(f"{wanted[0].folder}: another worker has it; qaexp status {sweep} shows which")
    num_left = _num_left(jobs, outcomes)
    if num_left == 0 and not stop_is_requested():
        _finish(console, sweep, jobs, outcomes)
    else:
        _raise_failures(outcomes)
    return Worked(outcomes, num_left)


def _wanted(jobs: Sequence[Job], only: str | None, sweep: Path) -> list[Job]:
    """The job that was named, or all."""
    if only is None:
        return list(jobs)
    found = [job for job in jobs if only.rstrip("/") in (job.run_id, job.folder.name, str(job.folder))]
    if not found:
        raise ConfigError(
            f"--job {only}: the plan of {sweep} has no such job; give a run id such as {jobs[0].run_id}, or the name "
            f"of a run's folder (qaexp status {sweep} lists them)"
        )
    return found[:1]


def _launcher(plan: StoredPlan) -> LocalLauncher:
    """Runs one job at a time, within the limits that the sweep's own launcher sets."""
    stored = plan.launcher or {}
    limits = {key: stored[key] for key in ("timeout_seconds", "grace_seconds") if key in stored}
    return LocalLauncher(jobs=1, **limits)


def about_this_worker() -> dict[str, Any]:
    """What a worker tells of itself: the scheduler's job that it is."""
    job = job_id(os.environ)
    return {} if job is None else {"engine": f"slurm {job}"}


def _tally(plan: Plan) -> str:
    actions = [planned.action for planned in plan.jobs]
    elsewhere = actions.count(ELSEWHERE)
    parts = [f"{actions.count(REUSE)} completed", *([f"{elsewhere} elsewhere"] if elsewhere else [])]
    return (
        f"{counted(len(actions), 'job')}: {', '.join(parts)}, {len(actions) - actions.count(REUSE) - elsewhere} to run"
    )


def _num_left(jobs: Sequence[Job], outcomes: Mapping[str, Outcome]) -> int:
    """How many jobs are neither completed nor failed, wherever they were run."""
    ended = {sha256 for sha256, outcome in outcomes.items() if outcome.state in (FAILED, TIMEOUT)}
    return sum(job.sha256 not in ended and look(job.folder).state != COMPLETED for job in jobs)


def _finish(console: RunConsole, sweep: Path, jobs: Sequence[Job], outcomes: Mapping[str, Outcome]) -> None:
    """Write the results and the report, unless another worker has, or is at it.

    Raises:
        SweepError: Jobs failed.
    """
    try:
        with hold(sweep):
            if results_stand(sweep, jobs):
                console.print(_words(f"nothing is left to run; the results stand in {sweep}"), soft_wrap=True)
                rows: Sequence[Mapping[str, Any]] = read_json(sweep / SWEEP, MAX_TABLE_BYTES)["jobs"]
            else:
                rows, groups = write_results(sweep, jobs, outcomes)
                print_end(console, rows, groups, sweep, jobs)
            if are_completed(rows):
                forget(sweep)
    except BusyError:
        words = f"nothing is left to run; another process writes the results in {sweep}"
        console.print(_words(words), soft_wrap=True)
        _raise_failures(outcomes)
        return
    check_ended(rows, sweep, _RETRY)


def _raise_failures(outcomes: Mapping[str, Outcome]) -> None:
    """Raise what is known of jobs that failed.

    Raises:
        SweepError: Any did.
    """
    if failed := [outcome.message for outcome in outcomes.values() if outcome.state in (FAILED, TIMEOUT)]:
        raise SweepError(
            *(f"{counted(failed.count(one), 'job')} failed: {one}; {_RETRY}" for one in dict.fromkeys(failed))
        )


def _words(sentence: str) -> Text:
    return Text(one_line(sentence))
