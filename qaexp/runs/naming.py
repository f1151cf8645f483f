"""Names of runs that were given none: one that no other run has, or the same for every start of a Slurm job."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from qaexp.errors import ConfigError, StorageError
from qaexp.runs.slurm import job_id
from qaexp.storage.folders import claim_directory
from qaexp.storage.redact import Redactor

_NUM_DIGITS = 8
_DRAWN = re.compile(rf"\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d-[0-9a-f]{{4}}|slurm-.+-[0-9a-f]{{{_NUM_DIGITS}}}")


def default_name(words: Sequence[str], parent: Path, *, environ: Mapping[str, str], now: datetime) -> str:
    """Return a name for a run whose command line gives none.

    Outside Slurm it is a time stamp with four random hex digits, and the empty folder of that name is made: of runs
    that start at the same moment, or after the clock was set back, no two get the same one. A job of Slurm may be put
    back into the queue and must find its run again, so there the name follows from the job and the command line.

    Args:
        words: The command line.
        parent: Where the run directory will be.
        environ: The environment.
        now: The time.
    """
    job = job_id(environ)
    if job is not None:
        return f"slurm-{job}-{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:_NUM_DIGITS]}"
    while True:
        name = f"{now:%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(2)}"
        if _is_ours(parent / name):
            return name


def is_drawn(name: str) -> bool:
    """Whether a name is one that `default_name` gives: it says nothing about what a run is.

    >>> is_drawn("2026-01-31_10-00-00-ab12"), is_drawn("mine")
    (True, False)
    """
    return _DRAWN.fullmatch(name) is not None


def _is_ours(folder: Path) -> bool:
    """Make a folder, unless there is one; if it cannot be created, the first write reports it."""
    try:
        return claim_directory(folder)
    except StorageError:
        return True


def check_name(name: str, lines: Sequence[str]) -> None:
    """Refuse a name that would put a secret into a path.

    Raises:
        ConfigError: It holds a value that is under a secret's key in the environment or on the command line.
    """
    if Redactor(os.environ, lines).finds(name):
        raise ConfigError("name= holds a secret, and it would be part of every path; choose a name without it")


def check_path(directory: Path, redactor: Redactor) -> None:
    """Refuse a directory whose path would reveal a secret, as far as it is not the working directory's.

    Raises:
        ConfigError: It holds the value of a variable or a key that is one.
    """
    here = Path.cwd()
    told = directory.relative_to(here) if directory.is_relative_to(here) else directory
    if redactor.finds(str(told)):
        raise ConfigError(
            f"the run directory {redactor.text(str(told))} would have a secret in its path; choose name= and "
            "hydra.run.dir, or hydra.sweep.dir, without it"
        )
