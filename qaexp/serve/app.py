"""The addresses of the server, and what each of them replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from qaexp.serve.asked import Asked, hub_request, own_request
from qaexp.serve.body import read_body
from qaexp.serve.figures import Figures
from qaexp.serve.reading import Found, Reader
from qaexp.serve.replies import hub_reply, own_reply
from qaexp.serve.strict_json import read_object
from qaexp.serve.waiting import Queue, Ticket
from qaexp.serve.worker import Worker
from qaexp.storage.version import __version__
from qaexp.web.outside import Outside, refused
from qaexp.web.refusals import GONE, RefusedError

# Bodies that are received at a time; each may be as large as --max-bytes.
_MAX_BODIES = 256
_PAGE = Path(__file__).parent / "page"
_FILES = {"/": ("page.html", "text/html"), "/serve.css": ("serve.css", "text/css"),
          "/serve.js": ("serve.js", "text/javascript"), "/icon.svg": ("icon.svg", "image/svg+xml")}  # fmt: skip
_POSTED = ("/", "/answer")
_STATE = ("/health", "/metrics")
_READ = ("GET", "HEAD")


@dataclass(slots=True)
class Desk:
    """A model, who waits for it, and the limits of requests.

    Attributes:
        reader: The model.
        queue: The questions that wait.
        worker: Who answers them.
        figures: What is counted.
        max_bytes: The largest body.
        timeout: Seconds until a question that is not answered is given up.
        num_bodies: Bodies that are being received.
    """

    reader: Reader
    queue: Queue
    worker: Worker
    figures: Figures
    max_bytes: int
    timeout: float
    num_bodies: int = field(default=0)

    def close(self) -> None:
        """Let no question in any more; those that wait are still answered."""
        self.queue.close()

    def give_up(self) -> None:
        """Refuse the questions that still wait."""
        self.queue.give_up()

    def join(self) -> None:
        """Wait a moment for the worker, which ends once nothing waits."""
        self.worker.join(1.0)

    async def ask(self, request: Request, read: Callable[[Mapping[str, Any]], Asked]) -> tuple[Asked, list[Found]]:
        """Receive a request, and have its questions answered.

        Raises:
            RefusedError: It cannot be read, there is no room or no time, or the model failed.
        """
        if self.num_bodies >= _MAX_BODIES:
            raise RefusedError(503, f"{_MAX_BODIES} requests are being received; ask again in a second", retry_after=1)
        self.num_bodies += 1
        try:
            body = await read_body(request, self.max_bytes)
        finally:
            self.num_bodies -= 1
        asked = read(read_object(body))
        self.reader.check(asked.wanted)
        expires = time.monotonic() + self.timeout
        tickets = [Ticket(question, context, asked.wanted, expires) for question, context in asked.pairs]
        self.queue.put(tickets)
        return asked, await _answers(request, tickets, self.timeout)


async def _answers(request: Request, tickets: Sequence[Ticket], timeout: float) -> list[Found]:
    """Wait for answers as long as the client does, and not beyond the time; what is not answered by then is dropped."""
    answers = asyncio.gather(*(asyncio.wrap_future(ticket.answer) for ticket in tickets))
    answers.add_done_callback(_look)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((answers, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if answers.done():
            return list(answers.result())
        if gone.done():
            raise RefusedError(GONE, "the client went away")
        sentence = f"no answer within {timeout:g} seconds (--timeout of the server): the text is long, or many ask"
        raise RefusedError(504, f"{sentence}; send less of it, or ask again later", retry_after=1)
    finally:
        gone.cancel()
        answers.cancel()
        for ticket in tickets:
            ticket.answer.cancel()


def _look(done: asyncio.Future[Any]) -> None:
    """Look at what became of it: asyncio complains of errors that nobody looks at, and who asked may be gone."""
    if not done.cancelled():
        done.exception()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def make_app(desk: Desk, log: Callable[[str], None] | None = None, *, own_name: str | None = "localhost") -> Outside:
    """Return the application, for any server of ASGI.

    Args:
        desk: What it serves; its worker has been started.
        log: Gets a line a request; None: nobody does.
        own_name: The name that it listens at, where only this machine reaches it, else None; see `check_caller`.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_questions(app, desk)
    _add_page(app)
    _add_state(app, desk)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _not_found)
    paths, count = {*_FILES, *_POSTED, *_STATE}, desk.figures.count_request
    return Outside(app, "qaexp serve", paths, own_name=own_name, log=log, count=count)


def _add_questions(app: FastAPI, desk: Desk) -> None:
    async def hub(request: Request) -> Response:
        asked, found = await desk.ask(request, hub_request)
        return JSONResponse(hub_reply(asked, found, desk.reader))

    async def own(request: Request) -> Response:
        asked, found = await desk.ask(request, own_request)
        return JSONResponse(own_reply(asked, found[0], desk.reader))

    for path, reply in zip(_POSTED, (hub, own), strict=True):
        app.add_api_route(path, reply, methods=["POST"], response_model=None)


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in _FILES.items():
        app.add_api_route(path, _file((_PAGE / name).read_bytes(), kind), methods=list(_READ), response_model=None)


def _file(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def reply() -> Response:
        return Response(content, media_type=kind)

    return reply


def _add_state(app: FastAPI, desk: Desk) -> None:
    async def health() -> Response:
        is_well = desk.worker.is_alive
        state = {"status": "ok" if is_well else "the thread that answers has ended; start the server again"}
        waiting = {"queue_length": len(desk.queue), "queue_size": desk.queue.size}
        limits = {"max_bytes": desk.max_bytes, "timeout_seconds": desk.timeout}
        about = {**state, **desk.reader.about(), **waiting, **limits, "version": __version__}
        return JSONResponse(about, status_code=200 if is_well else 503)

    async def metrics() -> Response:
        text = desk.figures.text(len(desk.queue), desk.queue.size)
        return Response(text, media_type="text/plain; version=0.0.4")

    for path, reply in zip(_STATE, (health, metrics), strict=True):
        app.add_api_route(path, reply, methods=list(_READ), response_model=None)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refused(error)


async def _not_found(request: Request, error: Exception) -> Response:
    """A path that there is not, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        sentence = "there is no such address; there are /, /answer, /health and /metrics"
        return JSONResponse({"error": sentence}, status_code=error.status_code)
    path = request.url.path
    allowed = [*(_READ if path in (*_FILES, *_STATE) else ()), *(("POST",) if path in _POSTED else ())]
    sentence = f"{path} does not take {request.method[:20]}; questions are sent by POST to / or /answer"
    return JSONResponse({"error": sentence}, status_code=405, headers={"allow": ", ".join(allowed)})
