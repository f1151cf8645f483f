"""What a sweep is going to do, before it does anything: each job once, with what there is of it already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.errors import BusyError
from qaexp.runs.identity import code_hash
from qaexp.runs.kept_checkpoints import newest_step, none_is_whole
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import find, is_run
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, NOT_A_RUN, RUNNING, UNFINISHED_END, Folder, first_line, look
from qaexp.sweeps.job import Job

RUN, RESUME, REUSE, RETRY, ELSEWHERE = "run", "resume", "reuse", "retry", "elsewhere"


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job, and what will be done about it.

    Attributes:
        job: The job.
        action: `run` (nothing is there), `resume` (goes on after a checkpoint), `retry` (starts over), `reuse` (is
            completed) or `elsewhere` (another process is at it).
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

    def check_alone(self) -> None:
        """Refuse to go on beside another process.

        Raises:
            BusyError: Naming the first job that has one.
        """
        for planned in self.jobs:
            if planned.action == ELSEWHERE:
                raise BusyError(f"{planned.job.folder}: {planned.note}; wait until it has ended")


def make_plan(jobs: Sequence[Job], sweep: Path) -> Plan:
    """Look up what there is of each job.

    Args:
        jobs: Identified jobs.
        sweep: The sweep's directory; it need not exist.
    """
    distinct = {job.sha256: job for job in reversed(jobs)}
    kept = [job for number, job in enumerate(jobs) if distinct[job.sha256] is job]
    found = {folder.path: folder for folder in find(sweep).folders} if sweep.is_dir() else {}
    own = {job.folder.name for job in kept}
    runs = [folder for folder in found.values() if is_run(folder) and folder.state != DAMAGED]
    completed = [run.summary for run in runs if run.summary is not None]
    seconds = [took for summary in completed if is_number(took := summary.get("total_seconds")) and took > 0]
    jobs_planned = [planned(job, found.get(job.folder)) for job in kept]
    return Plan(
        jobs_planned,
        num_duplicates=len(jobs) - len(kept),
        others=[run.path for run in runs if run.path.name not in own],
        seconds=sum(seconds) / len(seconds) if seconds else None,
    )


def planned(job: Job, folder: Folder | None = None) -> PlannedJob:
    """What will be done about one job.

    Args:
        job: The job.
        folder: What its directory was found to be; None: it is looked at.
    """
    folder = folder or look(job.folder)
    if folder.state == NOT_A_RUN:
        return PlannedJob(job, RUN)
    if folder.state == RUNNING:
        return PlannedJob(job, ELSEWHERE, folder.about)
    if folder.state == COMPLETED:
        return PlannedJob(job, REUSE, _joined(folder.about, _code_note(folder)))
    if not folder.is_resumable:
        return PlannedJob(job, RETRY, folder.sentence)
    error = "its end is missing" if folder.state == UNFINISHED_END else first_line(folder.record or {}) or ""
    if (step := newest_step(job.folder)) is not None:
        return PlannedJob(job, RESUME, _joined(f"after step {step}", error, _code_note(folder)))
    return PlannedJob(job, RETRY, _joined(none_is_whole(job.folder) or "", error))


def _code_note(folder: Folder) -> str:
    is_same = (folder.record or {}).get("code_hash") == code_hash()
    return "" if is_same else "made by another version of qaexp's code"


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
