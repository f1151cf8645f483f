"""Being a worker of a sweep: it is there, shows that it is alive, takes turns with others, and is forgotten."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.claims import CLAIMS, WORK, WORKERS, Claims, told_of
from qaexp.runs.owners import heartbeat, this_process
from qaexp.storage.files import write_json
from qaexp.storage.folders import make_directory, remove

BEAT_SECONDS = 20.0

_TURN, _TURN_SECONDS = "turn", 0.1


@contextmanager
def working(sweep: Path, about: Mapping[str, Any] | None = None) -> Iterator[Claims]:
    """Be a worker of a sweep for the body.

    Args:
        sweep: Its directory.
        about: What its file tells beside who it is.

    Yields:
        The claims, as this worker sees them.

    Raises:
        StorageError: The directory cannot be written.
    """
    here = this_process()
    told = about or {}
    claims = Claims(sweep, f"{here['host']}-{here['pid']}-{secrets.token_hex(4)}", told.get("engine"))
    for name in (CLAIMS, WORKERS):
        make_directory(sweep / WORK / name)
    own = sweep / WORK / WORKERS / claims.worker
    write_json(own, told_of(claims.worker, told))
    try:
        # Who cannot show that it is alive finds out that it has lost its jobs.
        with heartbeat(claims.beat, BEAT_SECONDS):
            yield claims
    finally:
        with suppress(QaexpError):
            remove(own)


@contextmanager
def turn(claims: Claims) -> Iterator[None]:
    """Be the only worker of the sweep in the body, for what only one may do at a time; it should not take long.

    Raises:
        StorageError: The folder cannot be written.
    """
    while True:
        last = claims.newest().get(_TURN)
        if (last is None or last.end is not None or not claims.is_alive(last)) and (
            (mine := claims.take(_TURN, last)) is not None
        ):
            break
        time.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        claims.end(mine, "over")


def forget(sweep: Path) -> None:
    """Delete what the workers of a sweep told each other, once all its jobs are completed and nobody asks any more.

    A worker that is just ending notices nothing; what cannot be deleted stays.
    """
    with suppress(QaexpError, OSError):
        remove(sweep / WORK)
