"""What is the same for every request: who asks is checked, it is told in a line, its reply has headers that protect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qaexp.web.callers import check_caller
from qaexp.web.refusals import RefusedError

Count = Callable[[str, int, float], None]

# The page asks only this server, and nothing that was typed in or answered can become a script or a style. A reply that
# has a policy of its own keeps it.
_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_FAULT = json.dumps({"error": "the server failed at this request, and goes on"}).encode()


class Outside:
    """An application around another one."""

    def __init__(
        self,
        app: ASGIApp,
        command: str,
        paths: Collection[str],
        *,
        own_name: str | None,
        log: Callable[[str], None] | None = None,
        count: Count | None = None,
        tells_requests: bool = True,
    ) -> None:
        """Take the application, and what is the same for all its requests.

        Args:
            app: It.
            command: Who speaks in the log: `qaexp serve`.
            paths: The paths that are told and counted by name.
            own_name: The name that it listens at, where only this machine reaches it, else None; see `check_caller`.
            log: Gets a line a request, and one for each fault; None: nobody does.
            count: Gets the path, the status and the seconds of each request.
            tells_requests: Whether requests are told at all: a page that lives asks again and again.
        """
        self.command, self._tells_requests = command, tells_requests
        self._app, self._paths, self._own_name, self._log, self._count = app, paths, own_name, log, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _protected(message.get("headers", ()))}
            await send(message)

        try:
            check_caller(scope["method"], Headers(scope=scope), self._own_name)
            await self._app(scope, receive, guarded)
        except RefusedError as error:
            await refused(error)(scope, receive, guarded)
        except Exception as error:
            self.tell(f"{self.command}: {type(error).__name__} at a request")
            if not status:
                await _reply_fault(guarded)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        if self._count is not None:
            self._count(path, status, seconds)
        if self._tells_requests:
            self.tell(f"{time.strftime('%H:%M:%S')} {scope['method'][:20]} {path} {status} {1000 * seconds:.0f} ms")

    def tell(self, line: str) -> None:
        """Log a line."""
        if self._log is not None:
            self._log(line)


def refused(error: RefusedError) -> JSONResponse:
    """The reply to a request that is refused."""
    return JSONResponse({"error": error.sentence}, status_code=error.status, headers=error.headers())


def _protected(given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    headers = [*given, *_HEADERS]
    return headers if any(name == _POLICY[0] for name, _ in headers) else [*headers, _POLICY]


async def _reply_fault(send: Callable[[Any], Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _FAULT})
