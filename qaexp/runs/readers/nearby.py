"""What was most likely meant by a path at which nothing is: the run of that name or id, or one of nearly that name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

# Where runs and sweeps are below the working directory.
PLACES = ("outputs", "multirun_outputs")

_ID_LETTERS = 8
_MOST_SHOWN = 3
_NEAR = 0.75


def meant(path: str | Path) -> str:
    """The paths that may be meant in the place of one at which nothing is, as the end of a sentence; or nothing.

    Args:
        path: As it was given, or made absolute.
    """
    if os.path.lexists(path):
        return ""
    with suppress(OSError, ValueError):
        found = sorted(dict.fromkeys(_found(_below_here(Path(path)))))
        if found:
            more = ", ..." if len(found) > _MOST_SHOWN else ""
            return f"; did you mean {', '.join(map(str, found[:_MOST_SHOWN]))}{more}?"
    return ""


def _below_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _found(path: Path) -> Iterator[Path]:
    if not path.is_absolute() and ".." not in path.parts:
        exact = [place / path for place in map(Path, PLACES) if (place / path).is_dir()] or [*_jobs(path.name)]
        if exact:
            yield from exact
            return
    parents = [path.parent] if len(path.parts) > 1 else [Path(place) for place in PLACES]
    for parent in parents:
        names = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
        yield from (parent / name for name in get_close_matches(path.name, names, cutoff=_NEAR))


def _jobs(name: str) -> Iterator[Path]:
    """The jobs of sweeps that are called so, or whose id begins so; an id has at most eight letters."""
    sweeps = Path(PLACES[1])
    for job in sweeps.glob("*/*-*") if sweeps.is_dir() else ():
        run_id = job.name.rpartition("-")[2]
        if job.name == name or (len(name) >= _ID_LETTERS // 2 and run_id.startswith(name)):
            yield job
