"""The number format and the attention of a sweep: what `auto` means is what it meant when the sweep was begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qaexp.runs.directory import SWEEP_PLAN
from qaexp.runs.readers.collect import find, is_run
from qaexp.runs.writing.resumption import stored_format
from qaexp.storage.reading import MAX_TABLE_BYTES, read_small
from qaexp.sweeps.job import Job

FORMATS = "precision"
"""The key of plan.json's settings: what `trainer.precision=auto` is in the sweep, by `trainer.device`."""

_AUTO = "auto"


def begun_formats(sweep: Path) -> dict[str, str]:
    """What `trainer.precision=auto` is in a sweep, by `trainer.device`; empty before it is begun.

    A plan that was made before plans said so, or none, leaves it to the runs: there `auto` was fp32 on every CPU.
    """
    plan, _ = read_small(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
    settings = (plan or {}).get("settings")
    if isinstance(settings, Mapping) and isinstance(told := settings.get(FORMATS), Mapping):
        return {str(device): str(format) for device, format in told.items() if format in ("fp32", "bf16")}
    return _formats_of_runs(sweep)


def in_begun_attention(jobs: Sequence[Job], sweep: Path) -> list[Job]:
    """The jobs as a sweep was begun: before plans named number formats, all attention was plain."""
    plan, _ = read_small(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
    settings = (plan or {}).get("settings")
    if plan is None or (isinstance(settings, Mapping) and FORMATS in settings):
        return list(jobs)
    return [_in_plain_attention(job) for job in jobs]


def _in_plain_attention(job: Job) -> Job:
    trainer = job.config.trainer
    if trainer.attention != _AUTO:
        return job
    return replace(job, config=replace(job.config, trainer=replace(trainer, attention="plain")))


def _formats_of_runs(sweep: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in find(sweep).folders if sweep.is_dir() else ():
        begun = stored_format(folder.path) if is_run(folder) else None
        if begun is not None and (begun.word, begun.format) == (_AUTO, "fp32"):
            found[str((folder.config or {}).get("trainer", {}).get("device"))] = begun.format
    return found


def asked_formats(jobs: Sequence[Job], begun: Mapping[str, str]) -> list[str | None]:
    """What `trainer.precision=auto` has to be in each job; None where it is free, or a format was typed."""
    return [begun.get(job.config.trainer.device) if job.config.trainer.precision == _AUTO else None for job in jobs]


def formats_of(jobs: Sequence[Job]) -> dict[str, str]:
    """What `trainer.precision=auto` is in identified jobs, by `trainer.device`, for plan.json."""
    return {job.config.trainer.device: job.precision for job in jobs if job.precision is not None}


def remarks(found: Sequence[tuple[Job, Mapping[str, Any]]], *, is_here: bool) -> list[str]:
    """What to say of the format of a sweep.

    Args:
        found: Identified jobs, and what `work.identify` told of them.
        is_here: Whether the jobs run on this machine.
    """
    own = {job.precision: told["own"] for job, told in found if job.precision is not None}
    sentences = [
        f"trainer.precision=auto is {format} in this sweep, as when it was begun, and would be {here} on this machine: "
        f"so its runs stay comparable and none is trained twice; another name= begins a sweep in {here}"
        for format, here in own.items()
        if here != format
    ]
    if not is_here and own and not sentences:
        sentences = [
            f"trainer.precision=auto is {' or '.join(map(str, own))} for all jobs, as on this machine; where workers "
            "have another format, name it: trainer.precision=bf16"
        ]
    return sentences
