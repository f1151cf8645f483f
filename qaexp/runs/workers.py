"""Being a worker of a sweep: it is there, shows that it is alive, takes turns with others, and is forgotten."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.claims import CLAIMS, WORK, WORKERS, Claim, Claims
from qaexp.runs.owners import heartbeat, this_process
from qaexp.storage.folders import remove

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
    claims = Claims(sweep, f"{here['host']}-{here['pid']}-{secrets.token_hex(4)}", told)
    claims.show()
    own = sweep / WORK / WORKERS / claims.worker
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

    Turns are many and none is of interest once another one has ended: the files of those before the last two go.

    Raises:
        StorageError: The folder cannot be written.
    """
    while True:
        last = claims.newest().get(_TURN)
        if (
            (last is None or last.end is not None or not claims.is_alive(last))
            and (mine := claims.take(_TURN, last)) is not None
            and not _is_overtaken(claims, mine)
        ):
            break
        time.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        claims.end(mine, "over")
        _forget_turns(claims, before=mine.number - 1)


def _is_overtaken(claims: Claims, mine: Claim) -> bool:
    """Whether a turn is void: who slept before taking it may have taken a number that was deleted meanwhile."""
    newest = claims.newest().get(_TURN)
    return newest is not None and newest.number > mine.number


def _forget_turns(claims: Claims, *, before: int) -> None:
    """Delete the files of turns; the newest stays, so that numbers grow, and the end of the one before it."""
    folder = claims.folder / WORK / CLAIMS
    with suppress(QaexpError, OSError):
        for path in list(folder.glob(f"{_TURN}.*")):
            number = path.name.split(".")[1]
            if number.isdecimal() and int(number) < before:
                remove(path)


def forget(sweep: Path, worker: str = "") -> None:
    """Delete what the workers of a sweep told each other, once all its jobs are completed and nobody asks any more.

    As long as another worker is alive it stays: it may run jobs of another plan. What cannot be deleted stays, too.

    Args:
        sweep: The sweep's directory.
        worker: The name of this worker's own file, if it has one.
    """
    if any(other.is_alive and other.told.get("worker") != worker for other in Claims(sweep).workers()):
        return
    with suppress(QaexpError, OSError):
        remove(sweep / WORK)
