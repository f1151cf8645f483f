"""An array of Slurm jobs that are workers of a sweep: submitted, asked to stop, and cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from qaexp.errors import ConfigError
from qaexp.runs.claims import WORK
from qaexp.runs.slurm_queue import ARRAYS, call, known_arrays
from qaexp.storage.files import write_json
from qaexp.storage.start import program

_PROGRAMS = ("sbatch", "squeue", "scancel")


def check_there() -> None:
    """Refuse when Slurm's programs are not here.

    Raises:
        ConfigError: Naming the first that is missing.
    """
    for name in _PROGRAMS:
        if program(name) is None:
            raise ConfigError(
                f"hydra/launcher=slurm: {name} is not on the PATH; run this on a machine that can submit to Slurm (a "
                "login node), or take hydra/launcher=local"
            )


def submit(script: str, options: Mapping[str, str | None], log: Path) -> str:
    """Submit an array; returns its job id.

    Args:
        script: What each of its jobs runs.
        options: Options of sbatch, by their long names; None: one without a value.
        log: The file that gets what a job prints; %A and %a are the ids of array and job.

    Raises:
        ConfigError: Slurm refuses, in its words.
    """
    words = [f"--{name}" if value is None else f"--{name}={value}" for name, value in options.items()]
    done = call("sbatch", ["--parsable", *words, f"--output={log}", "--open-mode=append"], script)
    if done.returncode:
        raise ConfigError(f"hydra/launcher=slurm: sbatch refuses: {_first_line(done.stderr)}; change hydra.launcher.*")
    return done.stdout.strip().partition(";")[0]


def ask_to_stop(arrays: Sequence[str]) -> None:
    """Take the jobs that wait out of the queue, and let those that run store what they did; they wait for `cancel`."""
    cancel_waiting(arrays)
    if arrays:
        call("scancel", ["--signal=TERM", "--batch", *arrays])


def cancel_waiting(arrays: Sequence[str]) -> None:
    """Take the jobs of some arrays that wait out of the queue."""
    if arrays:
        call("scancel", ["--state=PENDING", *arrays])


def cancel(arrays: Sequence[str]) -> None:
    """End all that is left of some arrays."""
    if arrays:
        call("scancel", list(arrays))


def note_array(sweep: Path, array: str) -> None:
    """Write down that an array was submitted, so that the same command finds it in the queue."""
    write_json(sweep / WORK / ARRAYS, {"arrays": [*known_arrays(sweep), array]})


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].removeprefix("sbatch: error: ") or "it says nothing"
