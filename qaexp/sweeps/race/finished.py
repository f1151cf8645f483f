"""What a race knows of its runs: the score of each question, what it cost, or why a run does not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.comparison.entries import Entry as Examined
from qaexp.comparison.entries import NotComparableError, examine, measured_of, without_path
from qaexp.comparison.scores import Measured, ScoreReader
from qaexp.errors import IntegrityError
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import run_files
from qaexp.runs.readers.folder import COMPLETED, look


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A run of a race that is completed.

    Attributes:
        steps: Of training.
        seconds: In all.
        measured: The score of each question; None where the run does not count.
        fault: Why it does not.
    """

    steps: int
    seconds: float
    measured: Measured | None = None
    fault: str = ""


class Finishes:
    """Reads completed runs, each once."""

    def __init__(self, metric: str) -> None:
        """Take the metric that the race is about."""
        self._metric, self._reader, self._known = metric, ScoreReader(), dict[Path, Finished]()

    def of(self, run: Path) -> Finished | None:
        """What a run gave; None while it is not completed.

        Raises:
            IntegrityError: It is damaged, or does not score every question.
        """
        if run not in self._known:
            folder = look(run)
            if folder.state != COMPLETED:
                return None
            self._known[run] = self._read(run)
        return self._known[run]

    def _read(self, run: Path) -> Finished:
        files = run_files(look(run))
        steps, seconds = (_number(files.summary, name) for name in ("num_steps", "total_seconds"))
        try:
            examined = examine(files, self._reader)
            measured = measured_of(examined, self._metric, self._reader)
        except (NotComparableError, IntegrityError) as error:
            raise IntegrityError(
                f"{run}: {without_path(str(error), run)}; move the run away, and the same command trains it again"
            ) from error
        fault = self._fault(examined, measured)
        return Finished(int(steps), seconds, None if fault else measured, fault)

    def _fault(self, examined: Examined, measured: Measured | None) -> str:
        """Why a run does not count; empty where it does."""
        if examined.collapse is not None:
            return f"answers nothing {examined.collapse}"
        if measured is None or self._metric not in examined.metrics:
            return examined.lack(self._metric)
        return ""


def _number(summary: Mapping[str, Any] | None, name: str) -> float:
    value = (summary or {}).get(name)
    return float(value) if is_number(value) else 0.0
