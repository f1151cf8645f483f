"""What passes between host and stand-in: copies, waits and host tensors inside operations, each with its place."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_LEFT_OUT = ("/torch/", "/stand_in/device.py", "/stand_in/autocast.py", "/stand_in/traffic.py")
_FRAMES_SHOWN = 3


@dataclass(slots=True)
class Traffic:
    """Counts by place.

    Attributes:
        to_device: Copies from the host.
        to_host: Copies to the host.
        waits: Moments at which the host waits until the device has done all its work.
        host_scalars: Numbers that an operation of the device took from a 0-d tensor of the host.
    """

    to_device: Counter[str] = field(default_factory=Counter)
    to_host: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    host_scalars: Counter[str] = field(default_factory=Counter)


_WATCHING: list[Traffic] = []


@contextmanager
def watched() -> Iterator[Traffic]:
    """Count what happens in the body."""
    traffic = Traffic()
    _WATCHING.append(traffic)
    try:
        yield traffic
    finally:
        _WATCHING.remove(traffic)


def note(*kinds: str) -> None:
    """Count one event of each kind, if anybody watches."""
    if _WATCHING:
        place = _place()
        for traffic in _WATCHING:
            for kind in kinds:
                getattr(traffic, kind)[place] += 1


def _place() -> str:
    """Who caused it, the innermost frame first; frames of the stand-in and of torch are left out."""
    frames = [
        f"{frame.filename.rpartition('/site-packages/')[2]}:{frame.lineno}"
        for frame in traceback.extract_stack()
        if not any(part in frame.filename for part in _LEFT_OUT)
    ]
    return " < ".join(reversed(frames[-_FRAMES_SHOWN:]))
