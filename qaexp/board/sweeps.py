"""The folders that hold runs: which of them are sweeps, what they have planned, and who works on them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.board.row import id_of
from qaexp.board.stamps import Clock, Stamp, stamps_of
from qaexp.reporting.terminal.workers import queue_words, worker_words
from qaexp.runs.claims import WORK, Claims
from qaexp.runs.directory import SWEEP, SWEEP_PLAN
from qaexp.runs.owners import is_locked
from qaexp.runs.readers.folder import RUNNING
from qaexp.runs.readers.planned import waiting_jobs
from qaexp.runs.readers.progress import PLANNED
from qaexp.storage.formats import one_line

# Slurm is asked at most so often, and may take long to answer.
QUEUE_SECONDS = 30.0


@dataclass
class Sweeps:
    """What is remembered of folders between two looks."""

    _waiting: dict[Path, tuple[tuple[Stamp, ...] | None, list[Path]]] = field(default_factory=dict)
    _claims: dict[Path, Claims] = field(default_factory=dict)
    _queues: dict[Path, Queued] = field(default_factory=dict)

    def waiting(self, sweep: Path, clock: Clock) -> list[Path]:
        """The folders of the planned jobs of a sweep that have no run yet; none of what is no sweep.

        Args:
            sweep: Any folder.
            clock: Tells the time.
        """
        stamps, jobs = self._waiting.get(sweep, (None, []))
        now = stamps_of(sweep, (".", SWEEP_PLAN), clock)
        if now is not None and now[-1] == ():
            self._waiting.pop(sweep, None)
            return []
        # A folder that is there and holds no run yet gets one without a change of the sweep's own.
        if stamps is None or now != stamps or any(map(os.path.lexists, jobs)):
            jobs = list(waiting_jobs(sweep))
        self._waiting[sweep] = (now, jobs)
        return jobs

    def first_words(self, folder: Path) -> dict[str, Any]:
        """What is told of a folder before it has been looked at."""
        is_sweep = any(os.path.lexists(folder / name) for name in (SWEEP_PLAN, SWEEP))
        return {"id": id_of(folder), "path": one_line(str(folder)), "is_sweep": is_sweep}

    def words(self, folder: Path, states: Sequence[str], now: datetime) -> dict[str, Any]:
        """What is told of a folder.

        Args:
            folder: It.
            states: Those of the runs in it.
            now: The time now.

        Returns:
            `id`, `path`, `is_sweep`, `is_under_way` (whether something runs, or is about to), `workers` (a line each).
        """
        is_under_way = RUNNING in states or (PLANNED in states and is_locked(folder))
        return {**self.first_words(folder), "is_under_way": is_under_way, "workers": self._workers(folder)}

    def keep_only(self, folders: Collection[Path]) -> None:
        """Forget all other folders."""
        for known in (self._claims, self._queues):
            for folder in set(known) - set(folders):
                del known[folder]

    def _workers(self, sweep: Path) -> list[str]:
        if not os.path.lexists(sweep / WORK):
            return []
        claims = self._claims.setdefault(sweep, Claims(sweep))
        queued = self._queues.setdefault(sweep, Queued(sweep)).words()
        return [*worker_words(claims), *([queued] if queued else [])]


class Queued:
    """How the workers of a sweep stand in Slurm's queue, as it was told last: nobody waits for Slurm."""

    def __init__(self, sweep: Path) -> None:
        """Take the sweep's folder."""
        self._sweep, self._words = sweep, ""
        self._next = 0.0
        self._thread: threading.Thread | None = None

    def words(self) -> str:
        """What Slurm said last; empty where it said nothing yet, or there is nothing to say."""
        is_asked = self._thread is not None and self._thread.is_alive()
        if not is_asked and time.monotonic() >= self._next:
            self._thread = threading.Thread(target=self._ask, name="qaexp-board-queue", daemon=True)
            self._thread.start()
        return self._words

    def _ask(self) -> None:
        self._words = one_line(queue_words(self._sweep) or "")
        self._next = time.monotonic() + QUEUE_SECONDS
