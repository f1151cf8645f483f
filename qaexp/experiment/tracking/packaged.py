"""What the trackers of packages do alike: nothing is sent twice, and what an earlier attempt could not send follows."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from qaexp.experiment.trackers import MissingPackageError
from qaexp.experiment.tracking.about import About, about_run, pictures
from qaexp.experiment.tracking.numbers import Numbers, epoch_numbers, probe_answers, step_numbers, summary_numbers
from qaexp.experiment.tracking.replay import replay_records
from qaexp.runs.readers.collect import read_run

# The kinds of points: of each, a tracker has every step once.
STEP, EVALUATION, SUMMARY = "step", "evaluation", "summary"
# Points wait for others, so that a store is not opened for each of them.
_MOST_WAITING, _MOST_SECONDS = 200, 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """Numbers of one step.

    Attributes:
        kind: `step`, `evaluation` or `summary`.
        step: Optimizer updates done.
        numbers: By name.
        at: When they were measured, as the run's files say: the same live and afterwards.
    """

    kind: str
    step: int
    numbers: Numbers
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What a tracker has of a run already: its last steps, and whether it has all."""

    step: int = -1
    evaluation: int = -1
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """The comparison of a sweep's runs.

    Attributes:
        sweep: The sweep's directory.
        rows: One row a group, all with the same keys.
        markdown: The same for people.
        run_keys: The keys of the runs in it.
    """

    sweep: Path
    rows: Sequence[Mapping[str, Any]]
    markdown: str
    run_keys: Sequence[str] = ()


class PackagedTracker(ABC):
    """A tracker of a package: a subclass says how the package is opened, sent to and closed.

    Attributes:
        was_complete: The tracker had all of the run when it was started; nothing is sent.
    """

    was_complete = False

    def start(self, directory: Path, config: Mapping[str, Any], step: int) -> None:
        """Go on with the tracker's run of this key, or begin it; then send what it lacks up to `step`.

        Raises:
            RuntimeError: The package is not installed.
            Exception: Whatever the package raises.
        """
        self._about = about_run(directory, config)
        self._waiting: list[Point] = []
        self._sent_at, self._seconds, self._last_step = time.monotonic(), 0.0, 0
        self._seen = self._open(self._about, step)
        self.was_complete = self._seen.is_complete
        if step and not self.was_complete:
            replay_records(read_run(directory), self, up_to=step)

    def step(self, record: Mapping[str, Any]) -> None:
        """Send the numbers of a step that the tracker does not have."""
        self._seconds = float(record.get("elapsed_seconds") or self._seconds)
        self._put(STEP, record["step"], step_numbers(record), self._seen.step)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of an evaluation, and the answers to the probes."""
        if self._put(EVALUATION, row["step"], epoch_numbers(row), self._seen.evaluation):
            self._tell(probe_answers(row), row["step"])

    def finish(self, summary: Mapping[str, Any] | None) -> None:
        """Send the numbers of the summary and the pictures, and close the tracker's run."""
        if self.was_complete:
            return
        if summary is not None:
            step = int(summary.get("num_steps") or self._last_step)
            self._seconds = float(summary.get("total_seconds") or self._seconds)
            self._put(SUMMARY, step, summary_numbers(summary), -1)
        self._flush()
        if summary is not None:
            self._show(pictures(self._about.directory), self._last_step)
        self._close(is_completed=summary is not None, at=self._about.time_at(self._seconds))

    @abstractmethod
    def comparison(self, table: ComparisonTable) -> None:
        """Attach the comparison of a sweep to its group, in place of an earlier one."""

    @abstractmethod
    def _open(self, about: About, step: int) -> Seen:
        """Begin the tracker's run, or go on with it after a step (0: from the start); send what is known of it."""

    @abstractmethod
    def _send(self, points: Sequence[Point]) -> None:
        """Send numbers."""

    @abstractmethod
    def _tell(self, texts: Mapping[str, str], step: int) -> None:
        """Send texts of a step by name."""

    @abstractmethod
    def _show(self, files: Sequence[Path], step: int) -> None:
        """Send pictures."""

    @abstractmethod
    def _close(self, *, is_completed: bool, at: datetime) -> None:
        """End the tracker's run."""

    def _put(self, kind: str, step: int, numbers: Numbers, last: int) -> bool:
        """Have numbers sent, unless the tracker has them; returns whether it has not."""
        self._last_step = max(self._last_step, step)
        if self.was_complete or step <= last:
            return False
        if numbers:
            self._waiting.append(Point(kind, step, numbers, self._about.time_at(self._seconds)))
        if len(self._waiting) >= _MOST_WAITING or time.monotonic() - self._sent_at >= _MOST_SECONDS:
            self._flush()
        return True

    def _flush(self) -> None:
        points, self._waiting = self._waiting, []
        if points:
            self._send(points)
        self._sent_at = time.monotonic()


def package(name: str, extra: str) -> Any:
    """Import a package that qaexp does not depend on.

    Args:
        name: The module.
        extra: The extra of qaexp that installs it.

    Raises:
        MissingPackageError: Saying how it is installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"{error}; pip install 'qaexp[{extra}]'") from error
