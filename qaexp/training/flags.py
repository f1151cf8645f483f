"""A flag of run.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing that is wrong: its name, the step where it first shows, and what to do about it."""

    name: str
    step: int
    advice: str
