"""How often results of a sweep were looked at: adding seeds after a look raises the chance of a false verdict."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.directory import SWEEP
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json

# The key of sweep.json.
LOOKS = "looks"


@dataclass(frozen=True, slots=True)
class Look:
    """The results of a sweep were shown to somebody.

    Attributes:
        at: When, in ISO format, UTC.
        run_ids: The runs that were completed by then, sorted.
    """

    at: str
    run_ids: tuple[str, ...]


def looks(sweep: Path) -> list[Look]:
    """The looks in a sweep's sweep.json, in their order; never raises, and leaves out anything that is not a look.

    Args:
        sweep: The sweep's directory.
    """
    try:
        return looks_of(read_json(sweep / SWEEP, MAX_TABLE_BYTES))
    except (OSError, QaexpError):
        return []


def looks_of(content: dict[str, Any]) -> list[Look]:
    """The looks in the content of a sweep.json.

    >>> looks_of({"looks": [{"at": "2026-01-31T10:00:00+00:00", "run_ids": ["b", "a"]}, 3]})
    [Look(at='2026-01-31T10:00:00+00:00', run_ids=('a', 'b'))]
    """
    stored = content.get(LOOKS)
    found = [_look(entry) for entry in stored] if isinstance(stored, list) else []
    return [look for look in found if look is not None]


def with_look(before: Sequence[Look], at: str, run_ids: Collection[str]) -> list[Look]:
    """The looks after results were shown; the same runs again, or none at all, are not a new look.

    >>> first = with_look([], "2026-01-31T10:00:00+00:00", ["a"])
    >>> with_look(first, "2026-01-31T11:00:00+00:00", {"a"}) == first
    True
    """
    seen = tuple(sorted(set(run_ids)))
    if seen == (before[-1].run_ids if before else ()):
        return list(before)
    return [*before, Look(at, seen)]


def _look(entry: Any) -> Look | None:
    at, run_ids = (entry.get("at"), entry.get("run_ids")) if isinstance(entry, dict) else (None, None)
    if not _is_time(at) or not isinstance(run_ids, list) or not all(_is_word(run_id) for run_id in run_ids):
        return None
    return Look(str(at), tuple(sorted(set(run_ids))))


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_word(value: Any) -> bool:
    """A text that can be printed and written: half a surrogate can be neither."""
    return isinstance(value, str) and value != "" and value.isprintable()
