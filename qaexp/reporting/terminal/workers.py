"""The workers of sweeps in words: who runs which job where, and who waits in a scheduler's queue."""

from __future__ import annotations

import glob
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qaexp.reporting.numbers.spans import duration
from qaexp.runs.claims import Claims, WorkerFile
from qaexp.storage.formats import one_line


def worker_lines(sweeps: Sequence[Path], width: int | None = None) -> list[str]:
    """A line a worker, below its sweep, and one for those that wait in Slurm's queue.

    Args:
        sweeps: Folders; those without workers are left out.
        width: Columns of the terminal; None: a pipe, which has none.
    """
    lines: list[str] = []
    for sweep in sweeps:
        queued = queue_words(sweep)
        own = [*worker_words(Claims(sweep)), *([one_line(queued)] if queued else [])]
        if own:
            lines += [one_line(f"workers of {sweep}:"), *(f"  {words}" for words in own)]
    if width is None:
        return lines
    return [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent="    ")]


def worker_words(claims: Claims) -> list[str]:
    """A line a worker of one sweep; a dead one whose jobs others have taken up is no news."""
    news = [worker for worker in claims.workers() if worker.is_alive or worker.jobs]
    return [one_line(_words(worker, claims.folder)) for worker in news]


def workers_document(sweeps: Sequence[Path]) -> list[dict[str, Any]]:
    """The same as data: `sweep`, `worker`, `host`, `pid`, `engine`, `started`, `age_seconds`, `is_alive`, `jobs`."""
    return [
        {
            "sweep": str(sweep),
            **{key: worker.told.get(key) for key in ("worker", "host", "pid", "engine", "started", "role")},
            "age_seconds": worker.age_seconds,
            "is_alive": worker.is_alive,
            "jobs": list(worker.jobs),
        }
        for sweep in sweeps
        for worker in Claims(sweep).workers()
    ]


def _words(worker: WorkerFile, sweep: Path) -> str:
    told = worker.told
    engine = f" ({told['engine']})" if told.get("engine") else ""
    runs = ", ".join(_folder(job, sweep) for job in worker.jobs if not job.startswith(("turn", "trial")))
    does = f"runs {runs}" if runs else "watches" if told.get("role") == "watches" else "waits"
    age = f"last sign of life {duration(round(worker.age_seconds))} ago"
    state = age if worker.is_alive else f"dead ({age}), its jobs are free"
    return f"process {told.get('pid')} on {told.get('host')}{engine}: {does}, {state}"


def _folder(run_id: str, sweep: Path) -> str:
    """The folder of a job, by its run id."""
    return next((path.name for path in sweep.glob(f"*-{glob.escape(run_id)}")), run_id)


def queue_words(sweep: Path) -> str | None:
    """How those that wait stand in Slurm's queue; None where there is nothing to tell."""
    if not Claims(sweep).is_there:
        return None
    from qaexp.runs.slurm_queue import told_standing

    return told_standing(sweep)
