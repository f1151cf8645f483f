"""When something was, as people read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def moment(stamp: Any) -> str:
    """Return a stored time as people write it, in UTC; any other value as it stands.

    >>> moment("2026-11-26T00:39:39+00:00"), moment("2026-11-26T01:39:39+01:00"), moment("once")
    ('26 Nov 2026, 00:39 UTC', '26 Nov 2026, 00:39 UTC', 'once')
    """
    found = _parsed(stamp)
    return str(stamp) if found is None else f"{found.day} {_MONTHS[found.month - 1]} {found:%Y, %H:%M} UTC"


def machine_time(stamp: Any) -> str | None:
    """Return a stored time as `<time datetime>` takes it; None where it is no time with a zone.

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
