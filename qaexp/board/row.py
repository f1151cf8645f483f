"""A line of the board: a run in the words of `qaexp status`, and what the page sorts and filters by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.reporting.terminal.standing import cells, note
from qaexp.runs.readers.folder import RUNNING, Folder
from qaexp.runs.readers.progress import Progress, Skipped
from qaexp.storage.formats import one_line

# A folder that may not be read; what is in it is not known.
UNREADABLE = "unreadable"

_NUMBERS = ("step", "total_steps", "epoch", "loss", "f1", "attempt")
_SHOWN = ("stage", "step", "epoch", "loss", "f1", "attempt")
_ID_BYTES = 8
# A flag is a name and a sentence; what a damaged run.json holds may be of any size.
_MOST_FLAGS, _MOST_CHARACTERS = 20, 500

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a run.

    Attributes:
        path: Its folder.
        row: What the page gets.
        record: run.json of a run that is at work, by which its process is found; None of any other.
    """

    path: Path
    row: Row
    record: Mapping[str, Any] | None = None

    @property
    def state(self) -> str:
        """Its state."""
        return str(self.row["state"])


def id_of(path: Path) -> str:
    """The name of a folder in addresses: the same at every start, and no path that anybody could make up.

    >>> id_of(Path("/tmp/a"))
    '2cc390db137d3df8'
    """
    return hashlib.blake2b(os.fsencode(path.absolute()), digest_size=_ID_BYTES).hexdigest()


def known_of(folder: Folder | None, told: Progress | Skipped, now: datetime) -> Known:
    """What is kept of a run, of a job that is planned, or of a folder that cannot be read.

    Args:
        folder: What the folder is; None where it was not looked at.
        told: Its progress, or why it has none.
        now: When it was looked at.
    """
    record = (folder.record if folder else None) or {}
    row: dict[str, Any] = {
        "id": id_of(told.path),
        "folder": id_of(told.path.parent),
        "name": _short(one_line(told.path.name or str(told.path))),
        "state": told.state,
        "flags": _flags(record.get("flags")),
        "started": _moment(record.get("started")),
    }
    if isinstance(told, Skipped):
        return Known(told.path, {**row, "note": _short(one_line(told.reason))})
    # The page counts on from the last sign of life; that it grows older is no news.
    seen = None if told.age_seconds is None else round(now.timestamp() - told.age_seconds)
    shown = cells(told)
    row |= {
        "note": _short(_note(told)),
        "seen": seen,
        "shown": {name: _short(shown[name]) for name in _SHOWN},
        **{name: getattr(told, name) for name in _NUMBERS},
    }
    return Known(told.path, row, record if told.state == RUNNING else None)


def _note(told: Progress) -> str:
    """What `qaexp status` notes, the error first: a cell may show no more than its beginning."""
    words, error = note(replace(told, age_seconds=None)), one_line(told.error or "")
    way_forward = words.removesuffix(f"; {error}") if error else words
    return words if way_forward == words else f"{error}; {way_forward}"


def _flags(found: Any) -> list[dict[str, str]]:
    """The flags of a run.json, which anybody may have edited."""
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [
        {name: _short(one_line(str(one.get(name, "")))) for name in ("name", "advice")} for one in entries[:_MOST_FLAGS]
    ]


def _moment(found: Any) -> float | None:
    """A time stamp in seconds since 1970; None where it is none."""
    try:
        return datetime.fromisoformat(found).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
