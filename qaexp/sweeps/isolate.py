"""A call in a process of its own, forked from a server that has the slow imports done: it ends alone."""

from __future__ import annotations

import atexit
import faulthandler
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import multiprocessing.util
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from qaexp.config.schema import ExperimentConfig
from qaexp.errors import OutOfMemoryError
from qaexp.reporting.terminal.printing import complain_text, guard
from qaexp.storage.appender import append_descriptor
from qaexp.storage.redact import Redactor
from qaexp.storage.start import Start, held, start, variables
from qaexp.sweeps.job import Job
from qaexp.sweeps.outcome import told

ORPHAN_SECONDS = 60.0
"""So long a child whose parent is gone has to store what it did."""

_LONGEST_TEMP = 60
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class World:
    """What a child finds when it starts.

    Attributes:
        output: The file that gets its standard output and its standard error; None leaves them as they are.
        environment: Variables that it has beside those that this process was started with.
    """

    output: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A call that is under way in another process."""

    def __init__(self, function: Callable[..., Any], *args: Any, world: World | None = None) -> None:
        """Start it.

        Args:
            function: A function that its module's name finds again.
            *args: What it is called with; pickled.
            world: What it finds.
        """
        world = world or World()
        self._reader, writer = _CONTEXT.Pipe(duplex=False)
        mine = start()
        given = Start({**mine.environ, **world.environment}, mine.directory)
        self._process = _CONTEXT.Process(target=_body, args=(writer, given, world.output, function, args), daemon=False)
        self.started = time.monotonic()
        with _known_start_method(), _refusals(), _no_script(), variables(same_code()):
            _start_server()
            self._process.start()
        writer.close()
        self._message: dict[str, Any] | None = None

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` can wait for: its end."""
        return self._process.sentinel

    @property
    def pid(self) -> int | None:
        """The process."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    def is_over(self) -> bool:
        """Has it ended? What it told is read meanwhile, however long it is."""
        self._read()
        return not self._process.is_alive()

    def ended(self) -> tuple[dict[str, Any] | None, int | None]:
        """Wait for the end; return what it told (None when it could not) and the exit code."""
        while not self.is_over():
            multiprocessing.connection.wait([self._process.sentinel, self._reader], timeout=1.0)
        self._process.join()
        self._read()
        self._reader.close()
        return self._message, self._process.exitcode

    def stop(self) -> None:
        """Ask it to store what it did and end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and what it started."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.pid is None:
            return
        try:
            # Its whole session: the workers that it started must not outlive it.
            (os.killpg if number == signal.SIGKILL else os.kill)(self.pid, number)
        except ProcessLookupError:
            if number == signal.SIGKILL:
                self._process.kill()

    def _read(self) -> None:
        try:
            while not self._reader.closed and self._message is None and self._reader.poll():
                self._message = self._reader.recv()
        except (EOFError, OSError):
            pass


@contextmanager
def _refusals() -> Iterator[None]:
    """The server that cannot fork ends without an answer."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise OutOfMemoryError(
            "no further process can be started: the one that they are forked from has ended (what it printed stands "
            "above); where it is a limit, raise it (ulimit -u)"
        ) from error


def _start_server() -> None:
    """Start the server so that Ctrl-C on the terminal, which every process there gets, does not end its imports."""
    resource_tracker.ensure_running()  # it takes the signal out of the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_script() -> Iterator[None]:
    """A child would import the script that started this process anew, and a script that calls us would call us again.

    What children are called with lives in modules.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _known_start_method() -> Iterator[None]:
    """A child takes over the start method of its parent by name; that of joblib's workers is known only to them."""
    method = multiprocessing.get_start_method()
    if method in multiprocessing.get_all_start_methods():
        yield
        return
    multiprocessing.set_start_method("forkserver", force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(method, force=True)


def same_code() -> dict[str, str]:
    """The variables by which a new Python finds modules where this one does, and not in the folder it starts in."""
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def prepare(modules: Sequence[str]) -> None:
    """Let the server of this process import modules before it forks; without effect once it runs.

    Args:
        modules: Their names; none may run a torch operation on import, or children hang.
    """
    # The server takes pickles from whoever reaches its socket: a file in a folder of this user's own. Before Python
    # 3.11.1 it was a name without a file, which every user of the machine could reach (CVE-2022-42919).
    multiprocessing.util.abstract_sockets_supported = False  # type: ignore[misc]
    _CONTEXT.set_forkserver_preload(list(modules))
    config = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_TEMP and "tempdir" not in config:
        # The server listens on a socket in the temporary folder, and the path of a socket has 107 bytes at most.
        config["tempdir"] = folder = tempfile.mkdtemp(prefix="qaexp-", dir="/tmp")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def call(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    """Call a function in a child and wait; returns `{"value": ...}`, or what `told` makes of an error."""
    child = Child(function, *args)
    try:
        message, exit_code = child.ended()
    except BaseException:  # Ctrl-C
        child.kill()
        raise
    if message is None:
        from qaexp.sweeps.outcome import how_it_died

        return {"state": "failed", "kind": "killed", "message": how_it_died(exit_code)}
    return message


def _body(
    writer: Connection,
    given: Start,
    output: Path | None,
    function: Callable[..., Any],
    args: Sequence[Any],
) -> None:
    """What the child does. Ctrl-C on the terminal is for its parent, which tells it what to do."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.clear()
    os.environ.update(given.environ)
    if output is not None:
        _redirect(output)
    guard()
    threading.Thread(target=_stop_without_parent, name="qaexp-parent", daemon=True).start()
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


def _stop_without_parent() -> None:
    """End with a checkpoint when the parent is gone, whatever killed it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os.killpg(0, signal.SIGKILL)
