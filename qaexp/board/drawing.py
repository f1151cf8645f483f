"""Pages that take seconds to draw: one at a time, in a process that ends with it, and each only once."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from qaexp.board.pages import made
from qaexp.runs import directory as layout
from qaexp.web.refusals import RefusedError

SECONDS = 120.0
"""So long a page may take."""

MOST_RUNS = 200
"""So many runs are compared at once."""

MOST_WAITING = 8
_MOST_KEPT, _MOST_KEPT_BYTES = 16, 64 * 2**20
_FILES = (".", layout.RUN, layout.SUMMARY, layout.METRICS, layout.HISTORY, layout.PREDICTIONS, layout.SCORES)
# A fresh process: it has no thread of this one, and what it took of memory is given back.
_CONTEXT = multiprocessing.get_context("spawn")

Key = tuple[Any, ...]


class Drawer:
    """Draws pages of runs and of comparisons; a page is kept as long as the files are what they were."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="qaexp-board-draw")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._begun: dict[Key, Future[bytes]] = {}
        self._process: Any = None
        self._is_closed = False

    def page(self, paths: Sequence[Path], *, is_comparison: bool) -> Future[bytes]:
        """Draw a page, or wait for it where somebody else asked for the same one.

        Args:
            paths: The folders of the runs.
            is_comparison: Whether it is about all of them together; else there is only one.

        Returns:
            The page as HTML, whose texts are no markup; or a RefusedError, where it cannot be drawn.

        Raises:
            RefusedError: 503: many wait already, or the server is being stopped; 422: too many runs.
        """
        if len(paths) > MOST_RUNS:
            raise RefusedError(422, f"{len(paths):,} runs are selected; a comparison takes at most {MOST_RUNS}")
        key: Key = (is_comparison, *((str(path), _stamps(path)) for path in paths))
        with self._lock:
            if self._is_closed:
                raise _stopping()
            if key in self._kept:
                self._kept.move_to_end(key)
                return _done(self._kept[key])
            if key not in self._begun:
                if len(self._begun) >= MOST_WAITING:
                    raise RefusedError(503, "other pages are being drawn; ask again in a moment", retry_after=5)
                self._begun[key] = self._pool.submit(self._drawn, key, list(paths), is_comparison)
            return self._begun[key]

    def close(self) -> None:
        """End what is being drawn, and draw nothing more."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drawn(self, key: Key, paths: list[Path], is_comparison: bool) -> bytes:
        try:
            page, reason = self._in_a_process(paths, is_comparison)
        finally:
            with self._lock:
                self._begun.pop(key, None)
        if page is None:
            raise RefusedError(422, reason)
        with self._lock:
            self._kept[key] = page
            while len(self._kept) > _MOST_KEPT or sum(map(len, self._kept.values())) > _MOST_KEPT_BYTES:
                self._kept.popitem(last=False)
        return page

    def _in_a_process(self, paths: list[Path], is_comparison: bool) -> tuple[bytes | None, str]:
        reader, writer = _CONTEXT.Pipe(duplex=False)
        with self._lock:
            if self._is_closed:
                raise _stopping()
            self._process = _CONTEXT.Process(target=_tell, args=(writer, paths, is_comparison), daemon=True)
            _start_without_signals(self._process)
        writer.close()
        try:
            if reader.poll(SECONDS):
                answer: tuple[bytes | None, str] = reader.recv()
                return answer
            return None, f"the page took longer than {SECONDS:.0f} s; select fewer runs"
        except EOFError:
            if self._is_closed:
                raise _stopping() from None
            return None, "the process that drew the page was killed, as by the system for want of memory; ask again"
        finally:
            reader.close()
            self._process.kill()
            self._process.join()


def _start_without_signals(process: Any) -> None:
    """Start a process that Ctrl-C on the terminal does not reach: this one ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _tell(writer: Connection, paths: list[Path], is_comparison: bool) -> None:
    """What the process does."""
    logging.getLogger("qaexp").setLevel(logging.CRITICAL)  # what is left out is told on the page
    writer.send(made(paths, is_comparison=is_comparison))
    writer.close()


def _stamps(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """By which a page is known to be the one that would be drawn now."""
    found: list[tuple[int, int, int] | None] = []
    for name in _FILES:
        try:
            status = (path / name).lstat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def _done(page: bytes) -> Future[bytes]:
    done: Future[bytes] = Future()
    done.set_result(page)
    return done


def _stopping() -> RefusedError:
    return RefusedError(503, "the server is being stopped", closes=True)
