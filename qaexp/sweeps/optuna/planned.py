"""What the plan of a search holds for its workers: threads, and how one knows that it has the same data and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import SWEEP_PLAN
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.sweeps.again import BY_COMMAND
from qaexp.sweeps.job import Job
from qaexp.sweeps.sweep_files import THREADS, planned_threads
from qaexp.sweeps.worker import check_inputs

_CORNERS = "corners"


def search_settings(threads: int | None, corners: Sequence[Job]) -> dict[str, Any]:
    """What the settings of the plan hold beside those of any sweep.

    Args:
        threads: CPU threads of a job whose config says nothing of them.
        corners: A job at each corner of the search's space, identified.
    """
    return {BY_COMMAND: True, THREADS: threads, _CORNERS: [job.run_id for job in corners]}


def threads_of_worker(sweep: Path, corners: Sequence[Job]) -> int | None:
    """The threads that were planned, once data and weights are found to be those that were planned.

    Args:
        sweep: The directory of the search.
        corners: The jobs at its corners as this machine identifies them.

    Raises:
        ConfigError: Data or weights are others here.
        IntegrityError: The plan cannot be read.
    """
    stored = read_json(sweep / SWEEP_PLAN, MAX_TABLE_BYTES)
    try:
        settings: Mapping[str, Any] = stored["settings"]
        threads = planned_threads(settings)
        # The plan of an older qaexp does not tell its corners.
        check_inputs(list(settings.get(_CORNERS, ())), corners, sweep)
    except (AttributeError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{sweep / SWEEP_PLAN}: settings: {error}; give the command of the search again"
        ) from error
    return threads
