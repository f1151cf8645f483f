"""The jobs that a sweep has planned, by the files of its folder: those that have no run yet, and how many there are."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.directory import RUN, SWEEP, SWEEP_PLAN
from qaexp.runs.readers.folder import NOT_A_RUN, look
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json

# Where plans are below a folder: as deep as runs are looked for.
_PLANS = (SWEEP_PLAN, f"*/{SWEEP_PLAN}", f"*/*/{SWEEP_PLAN}")


def planned_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the folders of planned jobs that have no run yet, those that are given as well as those below a folder.

    Args:
        paths: Folders of jobs, sweeps, or folders of them.
    """
    planned: dict[Path, set[str]] = {}
    for path in paths:
        for plan in (plan for pattern in _PLANS for plan in sorted(path.glob(pattern))):
            if plan.parent == path or not plan.parent.is_symlink():  # a link that was given is meant
                yield from waiting_jobs(plan.parent)
        if path.parent not in planned:
            planned[path.parent] = set(_names(path.parent / SWEEP_PLAN))
        if path.name in planned[path.parent]:
            yield from _waiting([path])


def waiting_jobs(sweep: Path) -> Iterator[Path]:
    """Yield the folders of the planned jobs of one sweep that have no run yet; none for what is not a sweep."""
    return _waiting(sweep / name for name in _names(sweep / SWEEP_PLAN))


def job_names(sweep: Path) -> list[str]:
    """The folder names of the jobs of a sweep, by its plan or its results; empty for what is not a sweep."""
    return _names(sweep / SWEEP_PLAN) or _names(sweep / SWEEP)


def _waiting(folders: Iterable[Path]) -> Iterator[Path]:
    # Most have a run.json, and are some kind of run, of which nothing else is read here.
    return (folder for folder in folders if not os.path.lexists(folder / RUN) and look(folder).state == NOT_A_RUN)


def _names(file: Path) -> list[str]:
    """The plain folder names that a plan, or a table of results, gives its jobs; in the order of the file."""
    try:
        found = file.stat()
        return list(_names_in(file, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except (OSError, QaexpError, KeyError, TypeError):
        return []


@functools.lru_cache(maxsize=8)
def _names_in(file: Path, *_stamp: int) -> tuple[str, ...]:
    """The names in a file that is known by its stamp: the plan of thousands of jobs takes a while to be read."""
    jobs: list[Any] = read_json(file, MAX_TABLE_BYTES)["jobs"]
    names = [str(job["path"]) for job in jobs]
    return tuple(name for name in dict.fromkeys(names) if name == Path(name).name)
