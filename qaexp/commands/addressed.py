"""What commands that listen at an address share: their options, the extra they need, and how they end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from qaexp.cli.arguments import CommandParser
from qaexp.errors import ConfigError

if TYPE_CHECKING:
    from qaexp.web.listening import Listener

_PORTS = range(2**16)


def add_address_options(parser: CommandParser, port: int) -> None:
    """Add `--host` and `--port`.

    Args:
        parser: That of the command.
        port: Where it listens if nothing is given.
    """
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at (default 127.0.0.1: this machine)"
    )
    parser.add_number("--port", int, port, f"the port; 0 chooses one that is free (default {port})", low=0)


def check_address(command: str, arguments: argparse.Namespace, needed: Sequence[str]) -> None:
    """Check what was given, and that the extra is there.

    Args:
        command: Its name, for the message.
        arguments: With `port`.
        needed: The packages of the extra.

    Raises:
        ConfigError: The port is none, or a package is missing.
    """
    if arguments.port not in _PORTS:
        raise ConfigError(f"--port {arguments.port} is no port; give one from 0 (any that is free) to {_PORTS[-1]:,}")
    if missing := [name for name in needed if find_spec(name) is None]:
        are = "are" if len(missing) > 1 else "is"
        raise ConfigError(f"{' and '.join(missing)} {are} missing, which {command} needs: pip install 'qaexp[serve]'")


def listen(arguments: argparse.Namespace, serve: Callable[[Listener], signal.Signals | None]) -> int:
    """Take the address, serve there, and give it back.

    Args:
        arguments: With `host` and `port`.
        serve: Serves until a signal comes, and returns it.

    Returns:
        0 after SIGTERM.

    Raises:
        ConfigError: The address cannot be taken.
        KeyboardInterrupt: Ctrl-C was pressed; everybody has been answered.
    """
    from qaexp.web.listening import Listener

    with _ended_by_sigterm():
        listener = Listener(arguments.host, arguments.port)
        try:
            stopped_by = serve(listener)
        finally:
            listener.close()
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Also end with 0 where SIGTERM comes before the server listens."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
