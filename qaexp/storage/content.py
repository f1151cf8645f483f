"""A file before it is written, too large to be held twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Content:
    """Its size in bytes, and what yields its bytes."""

    num_bytes: int
    chunks: Callable[[], Iterator[memoryview]]
