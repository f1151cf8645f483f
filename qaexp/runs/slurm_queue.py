"""How the workers of a sweep stand in Slurm's queue, as Slurm's own programs tell it."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.runs.claims import WORK
from qaexp.storage.reading import read_json
from qaexp.storage.start import program

ARRAYS = "slurm.json"
"""The file that lists the arrays that were submitted for a sweep."""

_SECONDS = 60.0
_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "SPECIAL_EXIT", "REQUEUE_HOLD", "REQUEUE_FED")
# A job that completes may be put back into the queue a moment later.
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")


@dataclass(frozen=True, slots=True)
class Standing:
    """How some workers stand in Slurm's queue.

    Attributes:
        running: So many run.
        waiting: So many wait.
        reasons: Why, as Slurm says it; each reason once.
    """

    running: int
    waiting: int
    reasons: tuple[str, ...] = ()

    @property
    def num_alive(self) -> int:
        """Those that run or will."""
        return self.running + self.waiting


def standing(arrays: Sequence[str]) -> Standing | None:
    """How the jobs of some arrays stand in the queue; None when Slurm does not answer.

    Args:
        arrays: Their job ids.
    """
    done = call("squeue", ["--noheader", "--array", f"--user={getpass.getuser()}", "--format=%F|%T|%r"])
    if done.returncode:
        return None
    rows = [line.split("|") for line in done.stdout.splitlines()]
    own = [(state, reason) for array, state, reason in (row for row in rows if len(row) == 3) if array in arrays]
    waiting = [reason for state, reason in own if state in _WAITING]
    reasons = tuple(reason for reason in dict.fromkeys(waiting) if reason != "None")
    return Standing(sum(state in _RUNNING for state, _ in own), len(waiting), reasons)


def known_arrays(sweep: Path) -> list[str]:
    """The arrays that were submitted for a sweep, the newest last."""
    try:
        stored = read_json(sweep / WORK / ARRAYS).get("arrays")
    except (FileNotFoundError, IntegrityError):
        return []
    return (
        [array for array in stored if isinstance(array, str) and array.isdecimal()] if isinstance(stored, list) else []
    )


def told_standing(sweep: Path) -> str | None:
    """How the workers of a sweep stand in Slurm's queue, for `qaexp status`; None where there is nothing to tell."""
    arrays = known_arrays(sweep)
    if not arrays or program("squeue") is None:
        return None
    found = standing(arrays)
    return words(arrays, found) if found is not None and found.num_alive else None


def words(arrays: Sequence[str], found: Standing) -> str:
    """A standing for people.

    >>> words(["12"], Standing(1, 2, ("Resources",)))
    'Slurm 12: 1 worker runs, 2 wait in the queue (Resources)'
    """
    parts = [f"{found.running} worker{'s' * (found.running != 1)} run{'s' * (found.running == 1)}"]
    if found.waiting:
        reasons = f" ({', '.join(found.reasons)})" if found.reasons else ""
        parts.append(f"{found.waiting} wait{'s' * (found.waiting == 1)} in the queue{reasons}")
    return f"Slurm {', '.join(arrays)}: {', '.join(parts)}"


def call(name: str, arguments: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Call one of Slurm's programs; what goes wrong is told by the exit status."""
    path = program(name)
    if path is None:
        return subprocess.CompletedProcess([name], 127, "", f"{name} is not on the PATH")
    try:
        return subprocess.run(
            [path, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env={**os.environ, "SLURM_TIME_FORMAT": "standard"},
            check=False,
            start_new_session=True,  # Ctrl-C on the terminal is not for it
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([name], 124, "", f"{name} gave no answer in {_SECONDS:.0f} s")
