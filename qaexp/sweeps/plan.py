"""What a sweep is going to do, before it does anything: each job once, with what there is of it already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import BusyError, QaexpError
from qaexp.runs.checkpoint import find_checkpoints
from qaexp.runs.collect import RunFiles, collect, read_run
from qaexp.runs.identity import code_hash
from qaexp.runs.lock import is_alive, utc_now
from qaexp.sweeps.job import Job

RUN, RESUME, REUSE, RETRY = "run", "resume", "reuse", "retry"


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job, and what will be done about it.

    Attributes:
        job: The job.
        action: `run` (nothing is there), `resume` (goes on after a checkpoint), `retry` (starts over) or `reuse` (is
            completed).
        note: What there is to know about it.
    """

    job: Job
    action: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All jobs of a sweep.

    Attributes:
        jobs: In the order of the values given; none twice.
        num_duplicates: Jobs left out because another one has the same identity.
        others: Runs in the sweep's directory that belong to none of the jobs: of other values, data or weights.
        seconds: What a job takes, by the completed ones; None when none is.
    """

    jobs: Sequence[PlannedJob]
    num_duplicates: int = 0
    others: Sequence[Path] = ()
    seconds: float | None = None

    @property
    def to_run(self) -> list[Job]:
        """The jobs that are not completed."""
        return [planned.job for planned in self.jobs if planned.action != REUSE]


def make_plan(jobs: Sequence[Job], sweep: Path) -> Plan:
    """Look up what there is of each job.

    Args:
        jobs: Identified jobs.
        sweep: The sweep's directory; it need not exist.

    Raises:
        BusyError: Another process works on one of them.
    """
    distinct = {job.sha256: job for job in reversed(jobs)}
    kept = [job for number, job in enumerate(jobs) if distinct[job.sha256] is job]
    found = collect(sweep, completed_only=False).runs if sweep.is_dir() else []
    own = {job.folder.name for job in kept}
    completed = [run.summary for run in found if run.summary is not None]
    seconds = [float(summary["total_seconds"]) for summary in completed if summary.get("total_seconds")]
    planned = [_planned(job) for job in kept]
    return Plan(
        planned,
        num_duplicates=len(jobs) - len(kept),
        others=[run.path for run in found if run.path.name not in own],
        seconds=sum(seconds) / len(seconds) if seconds else None,
    )


def _planned(job: Job) -> PlannedJob:
    try:
        run = read_run(job.folder)
    except QaexpError as error:
        is_there = (job.folder / "run.json").exists()
        return PlannedJob(job, RETRY if is_there else RUN, str(error) if is_there else "")
    if run.run.get("state") == "running" and run.summary is None and is_alive(run.run, utc_now()):
        raise BusyError(
            f"{job.folder}: process {run.run.get('pid')} on {run.run.get('host')} works in it; wait until it has ended"
        )
    if run.summary is not None:
        return PlannedJob(job, REUSE, _code_note(run))
    checkpoints = find_checkpoints(job.folder)
    if checkpoints:
        step = int(checkpoints[0].name.removeprefix("step-"))
        return PlannedJob(job, RESUME, _joined(f"after step {step}", _error(run.run), _code_note(run)))
    return PlannedJob(job, RETRY, _error(run.run))


def _code_note(run: RunFiles) -> str:
    return "" if run.run.get("code_hash") == code_hash() else "made by another version of qaexp's code"


def _error(record: dict[str, Any]) -> str:
    error = record.get("error")
    message = str(error.get("message", "")) if isinstance(error, dict) else ""
    return message.splitlines()[0] if message else ""


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
