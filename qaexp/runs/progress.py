"""Where runs stand, read from their directories while they run, after they ended, or after they were killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs import directory as layout
from qaexp.runs.checkpoint import find_checkpoints
from qaexp.runs.collect import RunFiles, collect, read_run
from qaexp.runs.lock import age_seconds, is_alive
from qaexp.runs.reading import MAX_TABLE_BYTES, read_json

KILLED = "killed"
"""The state that no process could write: run.json says `running`, and the process is gone."""


PLANNED = "planned"
"""The state of a job of a sweep that has not been started."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one run stands.

    Attributes:
        path: The run directory.
        state: That of run.json, `killed`, or `planned`.
        stage: The stage in progress, or the last one.
        step: The last step recorded.
        total_steps: Steps of the whole training; None before it is known.
        epoch: The epoch of that step.
        loss: Its loss.
        f1: Dev f1 of the latest evaluation, in percent.
        checkpoint_step: The step of the newest checkpoint; None without one.
        attempt: 1 at the first start.
        age_seconds: Since the last sign of life; None for a run that ended.
        error: The first line of the last error.
        resumed_step: The step of the checkpoint that this attempt went on from.
        num_evaluations: Rows of history.csv.
    """

    path: Path
    state: str
    stage: str | None
    step: int | None
    total_steps: int | None
    epoch: int | None
    loss: float | None
    f1: float | None
    checkpoint_step: int | None
    attempt: int | None
    age_seconds: float | None
    error: str | None
    resumed_step: int | None = None
    num_evaluations: int = 0


def progress_of(paths: list[Path], now: datetime) -> tuple[list[Progress], list[tuple[Path, str]]]:
    """Return where the runs under some paths stand, and what is no run, with its reason; never raises.

    Args:
        paths: Run directories, sweep directories, or folders of them.
        now: The time now, with its zone.
    """
    found = collect(*paths, completed_only=False)
    told: list[Progress] = []
    skipped = list(found.skipped)
    for run in found.runs:
        try:
            told.append(_progress(run, now))
        except (QaexpError, OSError, TypeError, ValueError, AttributeError) as error:
            skipped.append((run.path, str(error)))
    return told + [job for path in paths for job in _planned(path)], skipped


def _planned(path: Path) -> Iterator[Progress]:
    """The jobs of sweeps, in a folder or right below it, that have no run yet."""
    for plan in (path / layout.SWEEP_PLAN, *sorted(path.glob(f"*/{layout.SWEEP_PLAN}"))):
        try:
            names = [str(job["path"]) for job in read_json(plan, MAX_TABLE_BYTES)["jobs"]]
        except (OSError, QaexpError, KeyError, TypeError):
            continue
        for name in names:
            if name == Path(name).name and not (plan.parent / name / layout.RUN).exists():
                nothing = dict.fromkeys(field.name for field in fields(Progress) if field.default is MISSING)
                yield Progress(**{**nothing, "path": plan.parent / name, "state": PLANNED})  # type: ignore[arg-type]


def progress_of_run(directory: Path, now: datetime) -> Progress | None:
    """Return where one run stands; None while there is nothing that can be read."""
    try:
        return _progress(read_run(directory), now)
    except (QaexpError, OSError, TypeError, ValueError, AttributeError):
        return None


def _progress(run: RunFiles, now: datetime) -> Progress:
    record = run.run
    steps, history = run.steps().rows, run.history()
    last = steps[-1] if steps else {}
    checkpoints = find_checkpoints(run.path)
    state = str(record.get("state"))
    error = record.get("error")
    return Progress(
        path=run.path,
        state=KILLED if state == "running" and not is_alive(record, now) else state,
        stage=record.get("stage"),
        step=last.get("step"),
        total_steps=record.get("total_steps"),
        epoch=last.get("epoch"),
        loss=last.get("loss"),
        f1=history[-1].get("f1") if history else None,
        checkpoint_step=int(checkpoints[0].name.removeprefix("step-")) if checkpoints else None,
        attempt=record.get("attempt"),
        age_seconds=age_seconds(record.get("heartbeat"), now) if state == "running" else None,
        error=_first_line(error),
        resumed_step=record.get("resumed_step"),
        num_evaluations=len(history),
    )


def _first_line(error: Any) -> str | None:
    if not isinstance(error, dict) or not error.get("message"):
        return None
    return str(error["message"]).splitlines()[0]


def is_resumable(progress: Progress) -> bool:
    """Will the same command go on with this run, rather than find it completed or at work?"""
    return progress.state in (KILLED, *(state for state in layout.STATES if state not in ("running", "completed")))
