"""Picks the original among copies of one run by what their folders hold and are called, whatever the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.errors import QaexpError
from qaexp.runs.directory import SCORES, SWEEP
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.group_names import is_job
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json


def original(copies: Sequence[RunFiles]) -> RunFiles:
    """The copy whose folder fits the run best; ties go to the first path.

    A folder without scores is of no use. The folder of a single run has the run's name. The folder of a job ends with
    the run's id and is in the folder of its sweep, which has the name of its runs or the one that the sweep recorded.

    Args:
        copies: Runs with the same content, one at least.
    """
    if len(copies) == 1:
        return copies[0]
    return min(copies, key=lambda run: (*(not fits for fits in _fits(run)), str(run.path.resolve())))


def _fits(run: RunFiles) -> tuple[bool, bool, bool]:
    path, name = run.path.resolve(), run.config.get("name")
    is_own = path.name == name
    is_in_sweep = path.parent.name == name or path.parent.name == _recorded_name(path.parent)
    return (path / SCORES).is_file(), is_own or is_job(run), is_own or is_in_sweep


def _recorded_name(sweep: Path) -> object:
    """The name of the folder in which a sweep ended; None if this is not a sweep."""
    try:
        return read_json(sweep / SWEEP, MAX_TABLE_BYTES).get("name")
    except (OSError, QaexpError):
        return None
