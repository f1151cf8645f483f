"""From an address to a server that listens there, and to its end: nobody who was let in is left without a reply."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from types import FrameType
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from qaexp.errors import ConfigError
from qaexp.web.outside import Outside

HEAD_SECONDS = 10.0
"""So long a client may take to send the head of a request."""

GRACE_SECONDS = 5.0
"""So long requests are still answered after the server was asked to end; then they are refused."""

KEEP_SECONDS = 15
"""So long a connection is kept between two requests."""

MAX_CONNECTIONS = 1024
"""So many clients may be connected; less where the system allows the process fewer open files."""

# Clients that wait to be let in, and how many are let in at once; these and the model's own files need room too.
_BACKLOG = 64
_OWN_FILES = 2 * _BACKLOG
_STOPPED_BY = (signal.SIGINT, signal.SIGTERM)


class Listener:
    """An address that is this process's own."""

    def __init__(self, host: str, port: int) -> None:
        """Take the address; nobody is let in yet.

        Raises:
            ConfigError: There is no such host here, or the port is in use or not allowed.
        """
        self._asked = f"--host {host}", f"--port {port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"--host {host} is no address ({error}); give one of this machine") from error
        self.socket = socket.socket(family, kind, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._claim(lambda: self.socket.bind(address))
        self.is_loopback = ip_address(self.socket.getsockname()[0].partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def open(self) -> None:
        """Let clients in, who wait until they are served.

        Raises:
            ConfigError: Another program has taken the port meanwhile.
        """
        self._claim(lambda: self.socket.listen(_BACKLOG))

    def close(self) -> None:
        """Give the address back."""
        self.socket.close()

    def _claim(self, claim: Callable[[], None]) -> None:
        try:
            claim()
        except OSError as error:
            self.socket.close()
            host, port = self._asked
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"{port} is in use; give another one, or --port 0 for any that is free") from error
            if error.errno == errno.EACCES:
                raise ConfigError(f"{port} is kept for the system; give one from 1024 up, or --port 0") from error
            raise ConfigError(f"{host} is no address of this machine ({error.strerror}); give one that is") from error


def most_connections() -> int:
    """How many clients may be connected."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if allowed == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, max(8, allowed - _OWN_FILES))


class _Protocol(H11Protocol):
    """HTTP of a client that has to send the head of a request within a time, again and again."""

    _head_timer: asyncio.TimerHandle | None = None
    _began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._began = self.loop.time()
        self._wait_for_head()
        there = [one for one in self.connections if isinstance(one, _Protocol) and not one.transport.is_closing()]
        if len(there) > most_connections():
            # Who has been connected for the longest without ever having asked; where all have asked, who came last.
            silent = [one for one in there if one.cycle is None]
            min(silent, key=lambda one: one._began).transport.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Reply to bytes that are no HTTP in the form of every other refusal."""
        body = json.dumps({"error": "the request is not HTTP/1.1, or its head is too large; send another one"}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        response = h11.Response(status_code=400, headers=headers, reason=STATUS_PHRASES[400])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Behind(Protocol):
    """What is behind the addresses of a server, and ends with it."""

    def close(self) -> None:
        """Let nobody else wait; those who do are still answered."""

    def give_up(self) -> None:
        """Refuse those who wait."""

    def join(self) -> None:
        """Wait a moment for what still works."""


class Server(uvicorn.Server):
    """Ends in order at the first signal, and at once at a second Ctrl-C.

    Attributes:
        stopped_by: The first signal; None where it was another way.
    """

    def __init__(self, app: Outside, behind: Behind, listener: Listener) -> None:
        """Take what answers, what is behind it, and the address, which is given back at the end."""
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).disabled = True
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=KEEP_SECONDS,
                timeout_graceful_shutdown=int(GRACE_SECONDS) + 2,
            )
        )
        self._app, self._behind, self._listener = app, behind, listener
        self._told: set[str] = set()
        self.stopped_by: signal.Signals | None = None

    def serve_until_stopped(self, ready: Callable[[], None]) -> None:
        """Let clients in and serve them until a signal comes, or `should_exit` is set.

        Args:
            ready: Called once clients are let in.

        Raises:
            ConfigError: Another program has taken the port meanwhile.
        """
        self._listener.open()
        ready()
        asyncio.run(self.serve([self._listener.socket]))
        self._behind.join()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Note signals while the body runs, in the main thread; none is raised again afterwards."""
        is_main = threading.current_thread() is threading.main_thread()
        before = {number: signal.signal(number, self._note) for number in _STOPPED_BY} if is_main else {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; what goes wrong beside all requests is told once, in a line."""
        asyncio.get_running_loop().set_exception_handler(self._tell_once)
        await super().startup(sockets)

    def _tell_once(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        what = context["message"] if error is None else f"{context['message']}: {type(error).__name__}"
        if what not in self._told:
            self._told.add(what)
            self._app.tell(f"{self._app.command}: {what}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer who is there, and refuse those who would have to wait longer than `GRACE_SECONDS`."""
        self._behind.close()
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._behind.give_up)
        await super().shutdown(sockets)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or signal.Signals(number)
        self.handle_exit(number, frame)
