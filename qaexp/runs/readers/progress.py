"""The progress of runs, read from their directories while they run, after they ended, or after they were killed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.directory import SWEEP_PLAN
from qaexp.runs.kept_checkpoints import newest_step
from qaexp.runs.number import is_number
from qaexp.runs.owners import age_seconds
from qaexp.runs.readers.collect import RunFiles, find, is_run
from qaexp.runs.readers.folder import COMPLETED, NOT_A_RUN, RESUMABLE, RUNNING, Folder, first_line, look
from qaexp.runs.readers.planned import job_names, planned_folders

# The state of a job of a sweep that has not been started.
PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one run.

    Attributes:
        path: The run directory.
        state: What the folder is, or `planned`.
        stage: The stage in progress, or the last one.
        step: The greatest step that a record, an evaluation or a checkpoint names; of a completed run the number
            of its steps.
        total_steps: Steps that the training was to have; None before it is known.
        epoch: The epoch of the last record or evaluation; of a completed run the one that was kept.
        loss: The loss of that record, or the mean of that evaluation's epoch; of a completed run that of the epoch
            that was kept.
        f1: Dev f1 of the latest evaluation, in percent; of a completed run that of the kept epoch.
        checkpoint_step: The step of the newest checkpoint that looks whole; of a resumed run at work that of the newest
            of its own; None without one.
        attempt: 1 at the first start.
        age_seconds: Since the last sign of life; None for a run that ended.
        error: The first line of the last error; it ends in … where more lines follow.
        resumed_step: The step of the checkpoint that this attempt went on from.
        num_evaluations: Rows of history.csv.
        latest_f1: Dev f1 of the latest evaluation, whichever epoch was kept.
        about: What there is to know beside the state: what is wrong, and what resumes it from where.
    """

    path: Path
    state: str
    stage: str | None
    step: int | None
    total_steps: int | None
    epoch: float | None
    loss: float | None
    f1: float | None
    checkpoint_step: int | None
    attempt: int | None
    age_seconds: float | None
    error: str | None
    resumed_step: int | None = None
    num_evaluations: int = 0
    latest_f1: float | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A folder that is not a run, or one that cannot be read.

    Attributes:
        path: The folder.
        state: What it is.
        reason: The same as a sentence.
    """

    path: Path
    state: str
    reason: str


def progress_of(paths: list[Path], now: datetime) -> tuple[list[Progress], list[Skipped]]:
    """Return the progress of the runs under some paths, and what is not a run, with its reason; never raises.

    Args:
        paths: Run directories, sweep directories, or folders of them.
        now: The time now, with its zone.
    """
    found = find(*paths, now=now)
    told: list[Progress] = []
    planned = [not_started(folder) for folder in _once(planned_folders(paths))]
    skipped = [Skipped(path, NOT_A_RUN, _planned_search(path) or reason) for path, reason in found.skipped]
    by_path = {folder.path: folder for folder in found.folders}
    for folder in (by_path[path] for path in _once(by_path)):
        one = progress_in(folder, now)
        if isinstance(one, Progress):
            told.append(one)
        else:
            skipped.append(one)
    # A folder that holds waiting jobs alone holds no run, and that is no news.
    waiting = {place for job in planned for place in _places(job.path)}
    return told + planned, [one for one in skipped if os.path.realpath(one.path) not in waiting]


def _planned_search(folder: Path) -> str | None:
    """What there is to say of a plan without jobs, which follow from trials; None of anything else."""
    is_one = os.path.lexists(folder / SWEEP_PLAN) and not job_names(folder)  # false for what may not be read
    return (
        "a search or a race of which no run has begun; the same command, or qaexp work, begins them" if is_one else None
    )


def _places(folder: Path) -> list[str]:
    """A folder and all that it lies in."""
    real = Path(os.path.realpath(folder))
    return [str(real), *map(str, real.parents)]


def _once(paths: Iterable[Path]) -> Iterator[Path]:
    """Each folder once, however many of the given paths lead to it."""
    seen: set[str] = set()
    for path in paths:
        if (real := os.path.realpath(path)) not in seen:
            seen.add(real)
            yield path


def not_started(folder: Path) -> Progress:
    """The progress of a job that has no run yet."""
    nothing = dict.fromkeys(field.name for field in fields(Progress) if field.default is MISSING)
    return Progress(**{**nothing, "path": folder, "state": PLANNED})  # type: ignore[arg-type]


def progress_of_run(directory: Path, now: datetime) -> Progress | None:
    """Return the progress of one run; None while there is nothing that can be read."""
    found = progress_in(look(directory, now), now)
    return found if isinstance(found, Progress) else None


def progress_in(folder: Folder, now: datetime) -> Progress | Skipped:
    """Return the progress of a folder that was looked at, or why it has none; never raises.

    Args:
        folder: What the folder is.
        now: The time now, with its zone.
    """
    if not is_run(folder):
        return Skipped(folder.path, folder.state, folder.sentence)
    try:
        return _progress(folder, now)
    except (QaexpError, OSError, TypeError, ValueError, AttributeError) as error:
        return Skipped(folder.path, folder.state, str(error))


def _progress(folder: Folder, now: datetime) -> Progress:
    record = folder.record or {}
    run = RunFiles(folder.path, folder.config or {}, record, folder.summary)
    steps, history = run.steps().rows, run.history()
    latest_f1 = _number(history[-1], "f1") if history else None
    checkpoint_step = newest_step(folder.path)
    if folder.state == RUNNING and _number(record, "resumed_step") is not None:
        # It may have gone back behind a newer checkpoint that is damaged, and left alone.
        checkpoint_step = _number(record, "checkpoint_step")
    reached = {**_reached(steps, history, checkpoint_step), "f1": latest_f1}
    return Progress(
        path=folder.path,
        state=folder.state,
        stage=stage if isinstance(stage := record.get("stage"), str) else None,
        total_steps=_number(record, "total_steps"),
        **(reached if folder.summary is None else _kept(folder.summary)),
        checkpoint_step=checkpoint_step,
        attempt=_number(record, "attempt"),
        age_seconds=age_seconds(record.get("heartbeat"), now) if folder.state == RUNNING else None,
        error=None if folder.state == COMPLETED else first_line(record),
        resumed_step=_number(record, "resumed_step"),
        num_evaluations=len(history),
        latest_f1=latest_f1,
        about=folder.about,
    )


def _reached(
    steps: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]], checkpoint_step: int | None
) -> dict[str, Any]:
    """How far a training came: its records are `log_every` steps apart, and evaluations and checkpoints lie between."""
    record, row = steps[-1] if steps else {}, history[-1] if history else {}
    at_record, at_row = _number(record, "step"), _number(row, "step")
    is_newer = at_row is not None and (at_record is None or at_row > at_record)
    last, loss = (row, "train_loss") if is_newer else (record, "loss")
    return {
        "step": max((step for step in (at_record, at_row, checkpoint_step) if step is not None), default=None),
        "epoch": _number(last, "epoch"),
        "loss": _number(last, loss),
    }


def _kept(summary: dict[str, Any]) -> dict[str, Any]:
    """What a completed run came to: the last record of its files may be of another epoch, or of an earlier step."""
    names = {"step": "num_steps", "epoch": "kept_epoch", "loss": "train_loss", "f1": "f1"}
    return {key: _number(summary, name) for key, name in names.items()}


def _number(row: Mapping[str, Any], name: str) -> Any:
    """A number of a stored file, which anybody may have edited: anything else is unknown."""
    return value if is_number(value := row.get(name)) else None


def is_resumable(progress: Progress) -> bool:
    """Whether the same command resumes this run, rather than finds it completed or running."""
    return progress.state in RESUMABLE
