"""Standard streams that control no terminal and fail no run: what cannot be written is escaped or dropped."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from qaexp.runs.log import OneLineFormatter
from qaexp.storage.formats import one_line, visible

_LAST_BLANKS = re.compile(" +\n")


class Outlet:
    """Wraps a standard stream: control characters become visible, what cannot be encoded becomes an escape.

    If the stream fails (closed, a full disk, a reader that went away), further output is dropped: what the command does
    matters more than what it prints. Libraries print through it too.
    """

    def __init__(self, stream: Any) -> None:
        """Take the stream; None where the descriptor was closed when Python started."""
        self._stream = _Nowhere() if stream is None else stream
        # Why output was lost; None also if a reader went away, which is not a fault.
        self.problem: str | None = None

    def __getattr__(self, name: str) -> Any:
        """Everything else comes from the stream."""
        return getattr(self._stream, name)

    @property
    def rich_proxied_file(self) -> Unescaped:
        """The stream for a library that colours its own text (rich), whose escapes are meant for the terminal."""
        return Unescaped(self)

    def write(self, text: str) -> int:
        """Write a text of a library; a bar that draws itself again begins with a carriage return."""
        start = "\r" if text.startswith("\r") else ""
        self.write_raw(start + visible(text[len(start) :]))
        return len(text)

    def write_raw(self, text: str) -> None:
        """Write a text whose control characters are ours."""
        try:
            self._stream.write(encodable(text, self._stream))
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Discard the rest, so that Python's last flush does not fail either."""
        if not isinstance(error, BrokenPipeError):
            self.problem = self.problem or error.strerror or str(error)
        try:
            _send_nowhere(self._stream.fileno())
        except (OSError, ValueError):
            self._stream = _Nowhere()


class Unescaped:
    """An outlet for text whose control characters are ours; what is piped has no blanks at the ends of lines."""

    def __init__(self, outlet: Outlet) -> None:
        """Take the outlet."""
        self._outlet, self._is_terminal = outlet, is_terminal(outlet)

    def __getattr__(self, name: str) -> Any:
        """Everything else comes from the outlet."""
        return getattr(self._outlet, name)

    def write(self, text: str) -> int:
        """Write a text as it is."""
        self._outlet.write_raw(text if self._is_terminal else _LAST_BLANKS.sub("\n", text))
        return len(text)


class _Nowhere:
    """A stream that discards everything."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise io.UnsupportedOperation("no descriptor")


@contextmanager
def outlets() -> Iterator[list[str]]:
    """Put an outlet before stdout and stderr while the body runs; a descriptor that is closed leads nowhere.

    Yields:
        Nothing; behind the body, why stdout could not be written, where it could not. A reader that left is no reason.
    """
    before = sys.stdout, sys.stderr
    guard()
    if logging.lastResort is not None:
        # What is logged outside a run goes to stderr, a line each.
        logging.lastResort.setFormatter(OneLineFormatter())
    lost: list[str] = []
    try:
        yield lost
    finally:
        sys.stdout.flush()
        if isinstance(sys.stdout, Outlet) and sys.stdout.problem:
            lost.append(sys.stdout.problem)
            said = f"qaexp: stdout cannot be written ({sys.stdout.problem}): what was printed there is lost"
            outlet(sys.stderr).write_raw(one_line(said) + "\n")
        sys.stderr.flush()
        # A stream that was closed stays an outlet that leads nowhere: Python itself flushes once more.
        sys.stdout, sys.stderr = before[0] or sys.stdout, before[1] or sys.stderr


def guard() -> None:
    """Put an outlet before stdout and stderr, once."""
    _keep_descriptors()
    sys.stdout, sys.stderr = cast(TextIO, outlet(sys.stdout)), cast(TextIO, outlet(sys.stderr))


def terminal(stream: Any) -> TextIO:
    """Stdout or stderr for a library that colours its own text, which must contain no other control characters."""
    return cast(TextIO, Unescaped(outlet(stream)))


def outlet(stream: Any) -> Outlet:
    """The outlet of a stream: itself if it is one."""
    return stream if isinstance(stream, Outlet) else Outlet(stream)


def is_terminal(stream: Any) -> bool:
    """Say whether a stream ends at a terminal; one that is closed does not.

    >>> is_terminal(None), is_terminal(io.StringIO())
    (False, False)
    """
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


def encodable(text: str, stream: Any) -> str:
    """Return `text` with escapes for characters that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None)
    if encoding is None or text.isascii():
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding, "backslashreplace")


def _keep_descriptors() -> None:
    """Redirect closed descriptors 0, 1 and 2 to nowhere, before a file of a run is opened as one of them."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            _send_nowhere(descriptor)


def _send_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    else:
        os.set_inheritable(nowhere, True)
