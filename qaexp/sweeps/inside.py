"""What a child does: calls what it was started for, tells how that ended, and ends when its parent is gone."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.reporting.terminal.outlets import guard
from qaexp.reporting.terminal.printing import complain_text
from qaexp.storage.appender import append_descriptor
from qaexp.storage.redact import Redactor
from qaexp.storage.signals import SIGNALS
from qaexp.storage.start import Start, held
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import told

# Seconds that a child whose parent is gone has to store what it did.
ORPHAN_SECONDS = 60.0


def run_inside(
    writer: Connection,
    given: Start,
    output: Path | None,
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    has_session: bool = True,
) -> None:
    """Call a function in a child; Ctrl-C on the terminal is for its parent, which tells it what to do.

    Args:
        writer: Gets what the function returned, or what is told of an error.
        given: What the parent was started with.
        output: See `isolate.World`.
        function: What is called.
        args: With what.
        has_session: See `isolate.World`.
    """
    if has_session:
        os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.environ.clear()
    os.environ.update(given.environ)
    if output is not None:
        _redirect(output)
    guard()
    watch = threading.Thread(target=_stop_without_parent, args=(has_session,), name="qaexp-parent", daemon=True)
    watch.start()
    try:
        with held(given):
            message: dict[str, Any] = {"value": function(*args)}
    except BaseException as error:  # SystemExit and the panics of Rust are no Exceptions
        complain_text(_redactor_of(args).text(traceback.format_exc()))
        message = told(error)
    sys.stdout.flush()
    with suppress(BrokenPipeError):  # who asked is gone
        writer.send(message)
    writer.close()


def _redactor_of(args: Sequence[Any]) -> Redactor:
    """What knows the secrets of what a child was called with: a job, or configs."""
    trees: list[Any] = []
    for arg in args:
        if isinstance(arg, Job):
            return arg.redactor
        trees += [asdict(item) for item in arg if isinstance(item, ExperimentConfig)] if isinstance(arg, list) else []
    return Redactor(os.environ, trees=trees)


def _redirect(output: Path) -> None:
    descriptor = append_descriptor(output)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.close(descriptor)
    # Python's own objects may stand for something else, as in a server that was started by a test.
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    faulthandler.enable(file=2)


def _stop_without_parent(has_session: bool) -> None:
    """End with a checkpoint when the parent is gone, whatever killed it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    if has_session:
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
