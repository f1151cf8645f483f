"""Signals that ask a run to stop: noted while a step is computed or a file is written, raised everywhere else.

SIGTERM, SIGUSR1 and SIGUSR2 (a scheduler wants the machine) and SIGINT (Ctrl-C) are asked for once; a second Ctrl-C is
raised at once, whatever is going on.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from qaexp.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


@dataclass
class _Watch:
    """Signals come to the process, so there is one of these.

    Attributes:
        requested: The first signal that came.
        is_raised: It was raised; what still runs is on its way out.
        depth: How many `deferred` bodies are open.
        is_active: A `watched` body runs.
        is_patient: A second Ctrl-C changes nothing.
    """

    requested: signal.Signals | None = None
    is_raised: bool = False
    depth: int = 0
    is_active: bool = False
    is_patient: bool = False


_WATCH = _Watch()


@contextmanager
def watched(*, is_alone: bool = True, is_patient: bool = False) -> Iterator[None]:
    """Raise `Stopped` in the body when a signal asks for it; elsewhere than in the main thread nothing is watched.

    Args:
        is_alone: False where others have to be told first: a signal is only noted.
        is_patient: True for one of several processes that train together, all of which get a Ctrl-C of the terminal and
            may get another one from who started them: a second one is not raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _reset(depth=0 if is_alone else 1)
    _WATCH.is_active, _WATCH.is_patient = True, is_patient
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _reset()


@contextmanager
def deferred() -> Iterator[None]:
    """Let the body finish: a signal that comes meanwhile is raised after it.

    Raises:
        Stopped: A signal came, and no other `deferred` is around this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _WATCH.depth += 1
    try:
        yield
    finally:
        _WATCH.depth -= 1
    if _WATCH.requested is not None and _WATCH.depth == 0:
        if _WATCH.is_raised and not _is_on_its_way():
            # Python drops what is raised while it deletes an object, and a library may drop it too.
            _WATCH.is_raised = False
        raise_stop()


def note_only() -> None:
    """From here to the end of the `watched` body only note signals: several processes agree on the step to stop at."""
    if threading.current_thread() is threading.main_thread() and _WATCH.is_active:
        _WATCH.depth += 1


def is_watching() -> bool:
    """Whether a `watched` body runs."""
    return _WATCH.is_active


def requested_signal() -> signal.Signals | None:
    """The first signal that came while the `watched` body runs; None before any came."""
    return _WATCH.requested


def stop_is_requested() -> bool:
    """Whether a signal has come that was not raised yet."""
    return _WATCH.requested is not None and not _WATCH.is_raised


def raise_stop(default: signal.Signals = signal.SIGTERM) -> None:
    """Raise `Stopped`, once.

    Args:
        default: The signal to name when another process got it.

    Raises:
        Stopped: Unless it was raised before.
    """
    if not _WATCH.is_raised:
        _WATCH.is_raised = True
        raise Stopped(_WATCH.requested or default)


def _is_on_its_way() -> bool:
    """Whether a `Stopped`, or what was made of it, ends the bodies around."""
    error = sys.exception()
    while error is not None:
        if isinstance(error, Stopped):
            return True
        error = error.__context__
    return False


def _note(number: int, _: FrameType | None) -> None:
    if _WATCH.requested is None:
        _WATCH.requested = signal.Signals(number)
        if _WATCH.depth == 0:
            raise_stop()
    elif number == signal.SIGINT and not _WATCH.is_patient:
        _WATCH.is_raised = True
        raise Stopped(signal.SIGINT, is_abrupt=True)


def _reset(depth: int = 0) -> None:
    _WATCH.requested, _WATCH.is_raised, _WATCH.depth = None, False, depth
    _WATCH.is_active = _WATCH.is_patient = False
