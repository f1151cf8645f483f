"""Live events of a run for trackers such as TensorBoard; one that is missing, slow or broken never harms the run."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

_LOGGER = logging.getLogger("qaexp")
# A tracker with this many unhandled events is given up.
_WAITING_EVENTS = 10_000

# How long the end of a completed run waits for slow trackers, and how long that of another one does: who stops it may
# soon kill it.
PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS = 30.0, 10.0


class MissingPackageError(RuntimeError):
    """The package of a tracker is not installed; the message says how it is."""


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

    def __init__(self, trackers: Mapping[str, Tracker], consequence: str = "the run goes on") -> None:
        """Take the trackers by name, and what is said to follow where one is given up."""
        self._workers = [_Worker(name, tracker, consequence) for name, tracker in trackers.items()]
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
        """End all trackers, and wait for all of them together at most `PATIENCE_SECONDS`."""
        self._is_finished = True
        patience = PATIENCE_SECONDS if summary is not None else min(PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS)
        self._end(lambda tracker: tracker.finish(summary), patience)

    def tell_once(self, event: Callable[[Any], None]) -> None:
        """Give trackers that have not started one event, and end them: what is told after runs, with the same care."""
        self._is_finished = True
        for worker in self._workers:
            worker.begin()
        self._end(event, PATIENCE_SECONDS)

    def _end(self, event: Callable[[Any], None], patience: float) -> None:
        for worker in self._workers:
            worker.put(event)
            worker.close()
        until = time.monotonic() + patience
        for worker in self._workers:
            worker.wait(max(0.0, until - time.monotonic()), patience)


class _Worker:
    """One tracker and the thread that calls it, event by event."""

    def __init__(self, name: str, tracker: Tracker, consequence: str) -> None:
        self._name, self._tracker, self._consequence = name, tracker, consequence
        self._events: queue.Queue[Callable[[Tracker], None] | None] = queue.Queue(_WAITING_EVENTS)
        # A daemon, so that a tracker that hangs does not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._is_lost, self._losing = False, threading.Lock()

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

    def close(self) -> None:
        """Let the thread end after the last event."""
        with suppress(queue.Full):
            self._events.put_nowait(None)

    def wait(self, seconds: float, patience: float) -> None:
        """Wait until the queue is empty, or the time is up; `patience` is all of it, as it is told."""
        if not self._is_lost and self._thread.is_alive():
            self._thread.join(seconds)
        if self._thread.is_alive() and not self._is_lost:
            self._lose(f"it did not end within {patience:g} s")

    def _work(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                event(self._tracker)
            except MissingPackageError as error:
                self._lose(str(error))
                return
            except BaseException as error:  # a tracker that calls sys.exit must not end the run
                self._lose(f"{type(error).__name__}: {error}")
                return

    def _lose(self, reason: str) -> None:
        """Say it once, whichever thread finds it first, and before `wait` sees it: the process may end after that."""
        with self._losing:
            if not self._is_lost:
                _LOGGER.warning("trackers.%s is given up, %s: %s", self._name, self._consequence, reason)
                self._is_lost = True
