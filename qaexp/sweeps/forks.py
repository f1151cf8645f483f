"""The server that children are forked from, which has the slow imports done: what it imports, and how it starts."""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.process
import multiprocessing.util
import os
import shutil
import signal
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

from qaexp.errors import OutOfMemoryError
from qaexp.storage.signals import SIGNALS
from qaexp.storage.start import variables

CONTEXT = multiprocessing.get_context("forkserver")
_LONGEST_TEMP = 60

PRELOAD = (
    "qaexp.sweeps.bodies",
    "qaexp.experiment.one_run",
    "qaexp.reporting.figures.training_figures",
    "qaexp.reporting.page.html",
    "hydra.utils",
    "transformers.models.bert.modeling_bert",  # and with it what the models of all families need
)
"""What children find imported: nothing of it runs a torch operation, after which they would hang."""


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
    CONTEXT.set_forkserver_preload(list(modules))
    config = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_TEMP and "tempdir" not in config:
        # The server listens on a socket in the temporary folder, and the path of a socket has 107 bytes at most.
        config["tempdir"] = folder = tempfile.mkdtemp(prefix="qaexp-", dir="/tmp")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def begin() -> None:
    """Start the server that `prepare` prepared, so that it imports while this process does something else.

    Raises:
        OutOfMemoryError: It cannot be started.
    """
    with forking():
        pass


@contextmanager
def forking() -> Iterator[None]:
    """Start the server, unless it runs, and let the body start a child.

    Raises:
        OutOfMemoryError: The server cannot fork.
    """
    with _known_start_method(), _refusals(), _no_script(), variables(same_code()):
        _start_server()
        yield


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
    """Start the server so that no signal ends it that Ctrl-C or a scheduler sends to all processes of a sweep.

    Without it nobody would know how its children ended: they would count as dead while they store what they did. They
    inherit its mask, and get what came meanwhile once they watch.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # that one has taken two of them out of the mask
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
