"""Slurm: who was asked to make room puts its job back into the queue, once, or waits until Slurm does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from qaexp.errors import Stopped
from qaexp.runs.log import LOGGER
from qaexp.storage.start import program

_SECONDS = 30.0
# No partition gives longer; whoever is still alive then was not meant by Slurm.
_LONGEST_GRACE_SECONDS = 900.0
# `sbatch --signal=USR1@60` sends one of these before the time is over; SIGTERM comes with `scancel`, too.
_ASKS_FOR_ROOM = (signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def requeued(is_main: bool) -> Iterator[None]:
    """Ask Slurm to start the job again when SIGUSR1 or SIGUSR2 stopped the body; elsewhere do nothing.

    Args:
        is_main: This process speaks for the run, or for the sweep that it is in.
    """
    try:
        yield
    except Stopped as stop:
        job = job_id(os.environ)
        if is_main and job is not None and stop.signal in _ASKS_FOR_ROOM:
            _requeue(job)
        raise


def await_end(number: signal.Signals | None) -> None:
    """After a SIGTERM of Slurm, wait for the SIGKILL that follows it; elsewhere do nothing.

    A job that ends by itself then is COMPLETED for Slurm: one that was preempted would never be put back. What it has
    to store must stand before this is called.

    Args:
        number: The signal that stopped the work; None: none did.
    """
    if number == signal.SIGTERM and job_id(os.environ) is not None:
        LOGGER.warning("SIGTERM under Slurm: all is stored; waiting for Slurm to end this job, or to put it back")
        time.sleep(_LONGEST_GRACE_SECONDS)


def job_id(environ: Mapping[str, str]) -> str | None:
    """Return the job's id as scontrol wants it; None outside Slurm.

    >>> job_id({"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3"})
    '10_3'
    """
    array, task = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environ.get("SLURM_JOB_ID") or None


def num_restarts(environ: Mapping[str, str]) -> int:
    """How often Slurm has put the job back and started it anew.

    >>> num_restarts({"SLURM_RESTART_COUNT": "2"}), num_restarts({})
    (2, 0)
    """
    told = environ.get("SLURM_RESTART_COUNT", "")
    return int(told) if told.isdecimal() else 0


def _requeue(job: str) -> None:
    try:
        scontrol = program("scontrol")
        if scontrol is None:
            raise FileNotFoundError("it is not on the PATH")
        subprocess.run([scontrol, "requeue", job], check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        LOGGER.warning("scontrol requeue %s failed (%s); start the same command again yourself", job, error)
