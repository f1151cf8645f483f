"""The addresses of the board, and what each of them replies; all of them only read."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import qaexp.comparison.shown as shown
from qaexp.board.curves import curve_of
from qaexp.board.drawing import Drawer
from qaexp.board.index import Index
from qaexp.board.watch import Watch
from qaexp.storage.formats import one_line
from qaexp.web.outside import Outside
from qaexp.web.refusals import RefusedError

WAIT_SECONDS = 0.3
"""So long a reply waits for a look that is under way; what it finds later comes with the next reply."""

_PAGE = Path(__file__).parent / "page"
_CHARTS = Path(shown.__path__[0]) / "vendor" / "echarts.min.js"
_FILES = {
    "/": (_PAGE / "page.html", "text/html"),
    "/board.css": (_PAGE / "board.css", "text/css"),
    "/board.js": (_PAGE / "board.js", "text/javascript"),
    "/curves.js": (_PAGE / "curves.js", "text/javascript"),
    "/echarts.js": (_CHARTS, "text/javascript"),
    "/icon.svg": (_PAGE / "icon.svg", "image/svg+xml"),
}
_API = ("/api/runs", "/api/curves")
_PAGES = ("/run", "/compare")
_METHODS = ["GET"]
# A page that was drawn names its own scripts by their hashes, in a policy that holds beside this one; it is of no
# origin, so that it could not ask this server for anything.
_DRAWN = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Board:
    """What is behind the addresses.

    Attributes:
        roots: The folders that were given.
        index: What is known.
        watch: Who looks at the folders.
        drawer: Who draws pages.
    """

    roots: Sequence[Path]
    index: Index
    watch: Watch
    drawer: Drawer

    def close(self) -> None:
        """Look at nothing more, and draw nothing more: who waits for a page is refused."""
        self.watch.close()
        self.drawer.close()

    def give_up(self) -> None:
        """Nobody waits any more."""

    def join(self) -> None:
        """Wait a moment for the look that is under way."""
        self.watch.join(1.0)


def make_app(board: Board, log: Callable[[str], None] | None = None, *, own_name: str | None = "localhost") -> Outside:
    """Return the application, for any server of ASGI.

    Args:
        board: What is behind it.
        log: Gets a line for each fault; None: nobody does.
        own_name: The name that it listens at; see `check_caller`.
    """
    routes = [Route(path, _file(*found), methods=_METHODS) for path, found in _FILES.items()]
    routes += [
        Route(path, reply(board), methods=_METHODS)
        for path, reply in zip((*_API, *_PAGES), (_runs, _curves, _run, _compare), strict=True)
    ]
    handlers: Any = {RefusedError: _refused, HTTPException: _not_found}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    paths = {*_FILES, *_API, *_PAGES}
    return Outside(app, "qaexp board", paths, own_name=own_name, log=log, tells_requests=False)


Reply = Callable[[Request], Awaitable[Response]]


def _file(path: Path, kind: str) -> Reply:
    content = path.read_bytes()

    async def reply(_: Request) -> Response:
        return Response(content, media_type=kind)

    return reply


def _runs(board: Board) -> Reply:
    async def reply(request: Request) -> Response:
        look = board.watch.ask()
        if look is not None:
            await asyncio.wait([asyncio.wrap_future(look)], timeout=WAIT_SECONDS)
        state = {"is_complete": board.watch.is_complete, "roots": [one_line(str(root)) for root in board.roots]}
        return _json({**state, **board.index.changes(request.query_params.get("since", ""))})

    return reply


def _curves(board: Board) -> Reply:
    async def reply(request: Request) -> Response:
        (path,) = _paths(board, [request.query_params.get("run", "")])
        return _json(await asyncio.to_thread(curve_of, path, request.query_params.get("since", "")))

    return reply


def _run(board: Board) -> Reply:
    async def reply(request: Request) -> Response:
        return await _drawn(board, [request.query_params.get("run", "")], is_comparison=False)

    return reply


def _compare(board: Board) -> Reply:
    async def reply(request: Request) -> Response:
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        if not names:
            raise RefusedError(422, "no runs are named; select some on the board, and compare them there")
        return await _drawn(board, names, is_comparison=True)

    return reply


async def _drawn(board: Board, names: Sequence[str], *, is_comparison: bool) -> Response:
    page = board.drawer.page(_paths(board, names), is_comparison=is_comparison)
    # Who goes away does not take it from the others who wait for it.
    content = await asyncio.shield(asyncio.wrap_future(page))
    return Response(content, media_type="text/html", headers={"content-security-policy": _DRAWN})


def _paths(board: Board, names: Sequence[str]) -> list[Path]:
    """The folders of runs by their ids; no path comes from an address."""
    found = board.index.paths_of(names)
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise RefusedError(404, f"the board has no run {missing[0][:40]!a}{more}; it may be gone: open the board again")
    return [path for path in found if path is not None]


def _json(document: Any) -> Response:
    # In ASCII: a name may hold bytes that are no UTF-8.
    return Response(json.dumps(document, allow_nan=False, separators=(",", ":")), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    """A sentence, for who reads JSON and for who opened a page."""
    assert isinstance(error, RefusedError)
    return _told(request, error.status, error.sentence, error.headers())


async def _not_found(request: Request, error: Exception) -> Response:
    """A path that there is not, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    sentence = "there is no such address; the board is at /"
    if error.status_code == 405:
        sentence = f"the board only reads: it takes GET and HEAD, and not {request.method[:20]}"
    return _told(request, error.status_code, sentence, dict(error.headers or {}))


def _told(request: Request, status: int, sentence: str, headers: dict[str, str]) -> Response:
    if request.url.path in _API:
        return JSONResponse({"error": sentence}, status_code=status, headers=headers)
    # A folder's name stays as it is.
    told = sentence[:1].upper() + sentence[1:] if sentence.partition(" ")[0].isalpha() else sentence
    text = html.escape(one_line(f"{told}."))
    page = (_PAGE / "told.html").read_text("utf-8").replace("{sentence}", text)
    return Response(
        page.encode("utf-8", "backslashreplace"), status_code=status, headers=headers, media_type="text/html"
    )
