"""A call in a process of its own, which ends alone: started, watched and ended from outside."""

from __future__ import annotations

import multiprocessing.connection
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from qaexp.storage.start import Start, start
from qaexp.sweeps.forks import CONTEXT, forking
from qaexp.sweeps.inside import run_inside
from qaexp.sweeps.outcome import how_it_died


@dataclass(frozen=True, slots=True)
class World:
    """What a child finds when it starts.

    Attributes:
        output: The file that gets its standard output and its standard error; None leaves them as they are.
        environment: Variables that it has beside those that this process was started with.
        has_session: Signals of the terminal, and those to the whole session of this process, do not reach it.
    """

    output: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    has_session: bool = True


class Child:
    """A call that is under way in another process."""

    def __init__(self, function: Callable[..., Any], *args: Any, world: World | None = None, **keywords: Any) -> None:
        """Start it.

        Args:
            function: A function that its module's name finds again.
            *args: What it is called with; pickled.
            world: What it finds.
            **keywords: As args.
        """
        world = world or World()
        self._reader, writer = CONTEXT.Pipe(duplex=False)
        mine = start()
        given = Start({**mine.environ, **world.environment}, mine.directory)
        called = partial(function, **keywords) if keywords else function
        self._process = CONTEXT.Process(
            target=run_inside,
            args=(writer, given, world.output, called, args),
            kwargs={"has_session": world.has_session},
            daemon=False,
        )
        self.started = time.monotonic()
        with forking():
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

    def send(self, number: signal.Signals) -> None:
        """Hand on a signal."""
        self._send(number)

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


def call(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    """Call a function in a child and wait; returns `{"value": ...}`, or what `told` makes of an error."""
    child = Child(function, *args)
    try:
        message, exit_code = child.ended()
    except BaseException:  # Ctrl-C
        child.kill()
        raise
    if message is None:
        return {"state": "failed", "kind": "killed", "message": how_it_died(exit_code)}
    return message
