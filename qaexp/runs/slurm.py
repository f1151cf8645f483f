"""Slurm: a run that was asked to make room puts its job back into the queue, once, before it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from qaexp.errors import Stopped
from qaexp.runs.log import LOGGER
from qaexp.storage.start import program

_SECONDS = 30.0
# `sbatch --signal=USR1@60` sends one of these before the time is over; SIGTERM comes with `scancel`, too.
_ASKS_FOR_ROOM = (signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def requeued(is_main: bool) -> Iterator[None]:
    """Ask Slurm to start the job again when SIGUSR1 or SIGUSR2 stopped the body; elsewhere do nothing.

    Args:
        is_main: This process speaks for the run.
    """
    try:
        yield
    except Stopped as stop:
        job = job_id(os.environ)
        if is_main and job is not None and stop.signal in _ASKS_FOR_ROOM:
            _requeue(job)
        raise


def job_id(environ: Mapping[str, str]) -> str | None:
    """Return the job's id as scontrol wants it; None outside Slurm.

    >>> job_id({"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3"})
    '10_3'
    """
    array, task = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environ.get("SLURM_JOB_ID") or None


def _requeue(job: str) -> None:
    try:
        scontrol = program("scontrol")
        if scontrol is None:
            raise FileNotFoundError("it is not on the PATH")
        subprocess.run([scontrol, "requeue", job], check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        LOGGER.warning("scontrol requeue %s failed (%s); start the same command again yourself", job, error)
