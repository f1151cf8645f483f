"""One worker of a sweep, from the sweep's folder alone: it runs jobs that nobody has until nothing is missing."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from qaexp.errors import BusyError, ConfigError, SweepError
from qaexp.reporting.terminal.console import RunConsole
from qaexp.runs.claims import Claims
from qaexp.runs.directory import SWEEP, SWEEP_PLAN
from qaexp.runs.identity import code_hash
from qaexp.runs.lock import hold
from qaexp.runs.readers.folder import COMPLETED, look
from qaexp.runs.slurm import job_id, num_restarts
from qaexp.runs.workers import forget, working
from qaexp.storage.formats import counted, one_line
from qaexp.storage.mix import mix_of
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.budget import Budgeted
from qaexp.sweeps.execute import are_completed, check_ended, sweep_console
from qaexp.sweeps.job import Job
from qaexp.sweeps.last_lines import print_end
from qaexp.sweeps.launcher import LocalLauncher
from qaexp.sweeps.launching import Work
from qaexp.sweeps.outcome import FAILURES, Outcome
from qaexp.sweeps.plan import ELSEWHERE, REUSE, Plan, make_plan
from qaexp.sweeps.policy import read_policy
from qaexp.sweeps.queue import failed_before, give_another_try
from qaexp.sweeps.sweep_files import StoredPlan, results_stand, write_results
from qaexp.sweeps.view import SweepView

_LEAST_OF_AN_ID = 4
"""So many letters of a run id may stand for it, where no other one begins like that."""


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
        num_failed: So many have failed, in whichever worker.
        is_enough: Nothing is left, or the one job that it was to take is completed.
    """

    outcomes: Mapping[str, Outcome]
    num_left: int
    num_failed: int
    is_enough: bool


def check_code(planned: str | None, sweep: Path, *, allow_drift: bool) -> None:
    """Refuse to work with other code than that which planned.

    Args:
        planned: The hash of the code that planned; None: it is not known.
        sweep: The sweep's directory.
        allow_drift: Whether other code is allowed.

    Raises:
        ConfigError: It is other code.
    """
    if planned not in (None, code_hash()) and not allow_drift:
        raise ConfigError(
            f"{sweep / SWEEP_PLAN}: planned by other code of qaexp than this one; install the same version on every "
            "machine, plan the sweep again with this one, or add trainer.allow_drift=true"
        )


def check_inputs(planned: Sequence[str], jobs: Sequence[Job], sweep: Path) -> None:
    """Refuse to work with other data or weights than those that were planned: they make other runs.

    Args:
        planned: The run ids that jobs had when they were planned.
        jobs: The same jobs as this machine identifies them.
        sweep: The sweep's directory.

    Raises:
        ConfigError: Naming what differs.
    """
    other = [(known, job) for known, job in zip(planned, jobs, strict=False) if known != job.run_id]
    if other:
        known, job = other[0]
        inputs = ", ".join(
            f"{key}={value}"
            for key, value in (
                ("data.train_file", job.config.data.train_file),
                *((f"data.mix.{name}", one.file) for name, one in mix_of(job.config.data.mix).items()),
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
    if planned.to_run and (asked.retries or asked.only is not None):
        with working(sweep) as claims:
            give_another_try(claims, planned.to_run)
    before = failed_before(Claims(sweep), planned.to_run)
    console.print(_words(_tally(planned, len(before))), soft_wrap=True)
    outcomes: Mapping[str, Outcome] = {}
    limit = 1 if asked.is_one or asked.only is not None else None
    policy = read_policy(plan.on_failure)
    if planned.to_run:
        until = None if asked.seconds is None else began + asked.seconds
        todo = Work(sweep, planned.to_run, policy, num_gpus, until=until, limit=limit, about=about_this_worker())
        with SweepView(console, planned, tells_others=False) as view:
            outcomes = launcher_of_worker(plan.launcher or {}).run(todo, Budgeted(view, sweep, plan.max_checkpoint_mib))
    num_left = _num_left(jobs, outcomes)
    own = {sha256: outcome for sha256, outcome in outcomes.items() if sha256 not in before}
    if limit is not None and planned.to_run and num_left and not (own or stop_is_requested()):
        what = f"{wanted[0].folder}: another worker has it" if asked.only else f"{sweep}: other workers have all jobs"
        raise BusyError(f"{what}; qaexp status {shlex.quote(str(sweep))} shows which")
    if num_left == 0 and not stop_is_requested():
        _finish(console, sweep, jobs, outcomes)
    elif not stop_is_requested():
        if limit is not None:
            _raise_failures(own, sweep)
        elif policy.is_over(len(_failures(outcomes))):
            _raise_failures(outcomes, sweep)
    is_one_done = limit is not None and all(outcome.state == COMPLETED for outcome in own.values())
    return Worked(outcomes, num_left, len(_failures(outcomes)), num_left == 0 or is_one_done)


def _wanted(jobs: Sequence[Job], only: str | None, sweep: Path) -> list[Job]:
    """The job that was named, or all."""
    if only is None:
        return list(jobs)
    name = Path(only).name
    found = [job for job in jobs if name in (job.run_id, job.folder.name)]
    found = found or [job for job in jobs if len(name) >= _LEAST_OF_AN_ID and job.run_id.startswith(name)]
    if len(found) != 1:
        what = f"means {' or '.join(job.run_id for job in found)}" if found else "is no job of the plan"
        raise ConfigError(
            f"--job {only}: {what}; give a run id such as {(found or jobs)[0].run_id}, or a run's folder (qaexp status "
            f"{shlex.quote(str(sweep))} lists them)"
        )
    return found


def launcher_of_worker(planned: Mapping[str, Any]) -> LocalLauncher:
    """Runs one job at a time, within the limits that the sweep's own launcher sets.

    Args:
        planned: The keywords of that one.
    """
    limits = {key: planned[key] for key in ("timeout_seconds", "grace_seconds") if key in planned}
    return LocalLauncher(jobs=1, **limits)


def about_this_worker() -> dict[str, Any]:
    """What a worker tells of itself: the scheduler's job that it is in, and how often that was started anew."""
    job = job_id(os.environ)
    return {} if job is None else {"engine": f"slurm {job}", "restarts": num_restarts(os.environ)}


def _tally(plan: Plan, num_failed: int) -> str:
    actions = [planned.action for planned in plan.jobs]
    num_completed, num_elsewhere = actions.count(REUSE), actions.count(ELSEWHERE)
    parts = [
        f"{num_completed} completed",
        *([f"{num_elsewhere} elsewhere"] if num_elsewhere else []),
        *([f"{num_failed} failed before and left alone (--retry runs them)"] if num_failed else []),
        f"{len(actions) - num_completed - num_elsewhere - num_failed} to run",
    ]
    return f"{counted(len(actions), 'job')}: {', '.join(parts)}"


def _num_left(jobs: Sequence[Job], outcomes: Mapping[str, Outcome]) -> int:
    """How many jobs are neither completed nor failed, wherever they were run."""
    ended = _failures(outcomes)
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
        _raise_failures(outcomes, sweep)
        return
    check_ended(rows, sweep, _retry(sweep))


def _failures(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {sha256: outcome for sha256, outcome in outcomes.items() if outcome.state in FAILURES}


def _retry(sweep: Path) -> str:
    return f"mend the cause, and qaexp work {shlex.quote(str(sweep))} --retry runs what failed once more"


def _raise_failures(outcomes: Mapping[str, Outcome], sweep: Path) -> None:
    """Raise what is known of jobs that failed.

    Raises:
        SweepError: Any did.
    """
    if failed := [outcome.message for outcome in _failures(outcomes).values()]:
        raise SweepError(
            *(f"{counted(failed.count(one), 'job')} failed: {one}; {_retry(sweep)}" for one in dict.fromkeys(failed))
        )


def _words(sentence: str) -> Text:
    return Text(one_line(sentence))
