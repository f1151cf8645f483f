"""When the folders are looked at: only while somebody asks, one look at a time, and never most of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from qaexp.board.scanner import Scanner
from qaexp.runs.owners import utc_now

# A look begins so many seconds after the one before it has ended, or so many times as long as that one took.
LEAST_SECONDS, TIMES_AS_LONG = 1.0, 4.0


class Watch:
    """Looks at the folders for those who ask."""

    def __init__(self, scanner: Scanner, tell: Callable[[str], None]) -> None:
        """Take what looks, and who is told of a look that failed."""
        self._scanner, self._tell = scanner, tell
        self._lock = threading.Lock()
        self._under_way: Future[None] | None = None
        self._thread: threading.Thread | None = None
        self._next = 0.0
        self._is_closed = threading.Event()
        self._told: set[str] = set()
        self.num_looks = 0

    @property
    def is_complete(self) -> bool:
        """Whether all folders have been looked at once."""
        return self.num_looks > 0

    def ask(self) -> Future[None] | None:
        """Look at the folders if the last look is old enough.

        Returns:
            The look that is under way; None where what is known is new enough.
        """
        with self._lock:
            if self._under_way is not None and not self._under_way.done():
                return self._under_way
            if self._is_closed.is_set() or time.monotonic() < self._next:
                return None
            self._under_way = Future()
            self._thread = threading.Thread(
                target=self._look, args=(self._under_way,), name="qaexp-board-look", daemon=True
            )
            self._thread.start()
            return self._under_way

    def close(self) -> None:
        """End the look that is under way, and begin no other."""
        self._is_closed.set()

    def join(self, seconds: float) -> None:
        """Wait for the look that is under way, for so many seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _look(self, done: Future[None]) -> None:
        began = time.monotonic()
        try:
            self._scanner.look(utc_now(), self._is_closed.is_set)
            self.num_looks += 1
        except Exception as error:  # the next look may do better
            self._tell_once(f"the folders could not be looked at: {type(error).__name__}: {error}")
        finally:
            took = time.monotonic() - began
            self._next = time.monotonic() + max(LEAST_SECONDS, TIMES_AS_LONG * took)
            done.set_result(None)

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(f"qaexp board: {sentence}")
