"""Live events of a run for trackers such as TensorBoard; one that is missing, slow or broken never harms the run."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from qaexp.runs.directory import TENSORBOARD
from qaexp.runs.metrics import number_of
from qaexp.storage.folders import make_directory
from qaexp.storage.formats import dotted

_LOGGER = logging.getLogger("qaexp")
# A tracker with this many unhandled events is given up.
_WAITING_EVENTS = 10_000

# How long the end of a run waits for a slow tracker.
PATIENCE_SECONDS = 10.0


class Tracker(Protocol):
    """What a target under `trackers` builds: its methods get what the run directory gets, and may raise."""

    def start(self, directory: Path, config: Mapping[str, Any], step: int) -> None:
        """Start with the run directory, the resolved config without secrets, and the step to resume after."""

    def step(self, record: Mapping[str, Any]) -> None:
        """Take a line of metrics.jsonl together with its line of timings.jsonl."""

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Take a row of history.csv."""

    def finish(self, summary: Mapping[str, Any] | None) -> None:
        """Finish with the content of summary.json; None if the run did not complete."""


class Trackers:
    """Passes the events of a run to its trackers, each in its own thread, and gives up those that fail."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        """Take the trackers by name."""
        self._workers = [_Worker(name, tracker) for name, tracker in trackers.items()]
        self._is_finished = False

    def __enter__(self) -> Trackers:
        """Nothing happens yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that the run did not complete, unless it did."""
        if not self._is_finished:
            self.finish(None)

    def start(self, directory: Path, config: Mapping[str, Any], step: int) -> None:
        """Start in a run directory; `step` is what the run resumes after."""
        for worker in self._workers:
            worker.begin()
            worker.put(lambda tracker: tracker.start(directory, config, step))

    def step(self, record: Mapping[str, Any]) -> None:
        """Send a record of a step."""
        for worker in self._workers:
            worker.put(lambda tracker: tracker.step(record))

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Send a row of history.csv."""
        for worker in self._workers:
            worker.put(lambda tracker: tracker.evaluation(row))

    def finish(self, summary: Mapping[str, Any] | None) -> None:
        """End all trackers, and wait for each at most `PATIENCE_SECONDS`."""
        self._is_finished = True
        for worker in self._workers:
            worker.put(lambda tracker: tracker.finish(summary))
        for worker in self._workers:
            worker.end(PATIENCE_SECONDS)


class _Worker:
    """One tracker and the thread that calls it, event by event."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name, self._tracker = name, tracker
        self._events: queue.Queue[Callable[[Tracker], None] | None] = queue.Queue(_WAITING_EVENTS)
        # A daemon, so that a tracker that hangs does not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._is_lost = False

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, event: Callable[[Tracker], None]) -> None:
        """Queue an event, unless the tracker is lost or too far behind."""
        if self._is_lost:
            return
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._lose(f"it is {_WAITING_EVENTS} events behind")

    def end(self, seconds: float) -> None:
        """Wait until the queue is empty, or the time is up."""
        try:
            self._events.put_nowait(None)
        except queue.Full:
            return
        if self._thread.is_alive():
            self._thread.join(seconds)
        if self._thread.is_alive() and not self._is_lost:
            self._lose(f"it did not end within {seconds:g} s")

    def _work(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                event(self._tracker)
            except BaseException as error:  # a tracker that calls sys.exit must not end the run
                self._lose(f"{type(error).__name__}: {error}")
                return

    def _lose(self, reason: str) -> None:
        self._is_lost = True
        _LOGGER.warning("trackers.%s is given up, the run goes on: %s", self._name, reason)


class TensorBoard:
    """Writes TensorBoard's event files into the run directory: `tensorboard --logdir outputs` shows them.

    Scalars by step are under `train/`, `speed/`, `epoch/` and `dev/`; the config and the probe answers are texts.
    """

    def __init__(self, *, flush_seconds: int = 10) -> None:
        """Take the seconds between two writes to the file."""
        self._flush_seconds = flush_seconds
        self._writer: Any = None

    def start(self, directory: Path, config: Mapping[str, Any], step: int) -> None:
        """Open a new event file; later steps of an earlier attempt are hidden.

        Raises:
            RuntimeError: The package is not installed.
            QaexpError: The folder cannot be created, or is a link.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise RuntimeError(f"{error}; pip install 'qaexp[tensorboard]'") from error
        make_directory(directory / TENSORBOARD)
        self._writer = SummaryWriter(
            str(directory / TENSORBOARD), flush_secs=self._flush_seconds, purge_step=step + 1 if step else None
        )
        self._writer.add_text("config", _as_table(config), 0)

    def step(self, record: Mapping[str, Any]) -> None:
        """Add the numbers of a step."""
        for group, names in _STEP_SCALARS.items():
            self._scalars(group, {name: record.get(name) for name in names}, record["step"])

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Add dev metrics, train loss and accuracy of the epoch, and the probe answers."""
        for name, value in row.items():
            if name.startswith("probe_"):
                self._writer.add_text(name, _verbatim(value), row["step"])
        self._scalars("epoch", {name: row.get(name) for name in ("train_loss", "train_accuracy")}, row["step"])
        metrics = {name: value for name, value in row.items() if number_of(name).column is not None}
        self._scalars("dev", metrics, row["step"])

    def finish(self, summary: Mapping[str, Any] | None) -> None:
        """Add the numbers of the summary, and close the file."""
        self._scalars("summary", summary or {}, (summary or {}).get("num_steps") or 0)
        self._writer.close()

    def _scalars(self, group: str, values: Mapping[str, Any], step: int) -> None:
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._writer.add_scalar(f"{group}/{name}", value, step)


_STEP_SCALARS = {
    "train": ("loss", "learning_rate", "grad_norm"),
    "speed": ("tokens_per_second", "features_per_second", "memory_mib"),
}


def _as_table(config: Mapping[str, Any]) -> str:
    """A config as a Markdown table of dotted keys."""
    rows = [f"| {key} | {_verbatim(value)} |" for key, value in dotted(config).items()]
    return "\n".join(["| key | value |", "| --- | --- |", *rows])


def _verbatim(value: Any) -> str:
    """A value in a Markdown code span, without characters that would end the span or the table cell."""
    return "`" + " ".join(str(value).replace("`", "'").replace("|", "¦").split()) + "`"
