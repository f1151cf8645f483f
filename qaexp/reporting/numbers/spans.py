"""Times as people read them: how long something took, and when it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qaexp.runs.metrics import number_of
from qaexp.runs.number import HUGE, is_number

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: Any) -> str:
    """Return a time in seconds in its two largest units; `-` where there is none.

    >>> [duration(seconds) for seconds in (0.81, 4, 42.3, 59.9, 354.2, 7384.0, 90000, None)]
    ['0.81 s', '4 s', '42 s', '1 min 0 s', '5 min 54 s', '2 h 3 min', '1 d 1 h', '-']
    >>> duration(1e308)
    '1e+308 s'
    """
    if not is_number(seconds) or seconds < 0:
        return "-"
    if seconds >= HUGE:
        return f"{number_of('total_seconds').shown(seconds)} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds if isinstance(seconds, int) else number_of('total_seconds').shown(seconds)} s"
    for size, part, (one, other) in ((_DAY, _HOUR, "dh"), (_HOUR, _MINUTE, ("h", "min"))):
        if whole >= size:
            return f"{whole // size} {one} {whole % size // part} {other}"
    return f"{whole // _MINUTE} min {whole % _MINUTE} s"


def moment(stamp: Any) -> str:
    """Return a stored time as people write it, in UTC; any other value unchanged.

    >>> moment("2026-11-26T00:39:39+00:00"), moment("2026-11-26T01:39:39+01:00"), moment("once")
    ('26 Nov 2026, 00:39 UTC', '26 Nov 2026, 00:39 UTC', 'once')
    """
    found = _parsed(stamp)
    return str(stamp) if found is None else f"{found.day} {_MONTHS[found.month - 1]} {found:%Y, %H:%M} UTC"


def machine_time(stamp: Any) -> str | None:
    """Return a stored time as `<time datetime>` takes it; None if it is not a time with a zone.

    >>> machine_time("2026-11-26T01:39:39+01:00"), machine_time("once")
    ('2026-11-26T00:39:39+00:00', None)
    """
    found = _parsed(stamp)
    return None if found is None else found.isoformat(timespec="seconds")


# By hand: strftime writes months in the language of the machine.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _parsed(stamp: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(stamp)
        return found.astimezone(UTC) if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
