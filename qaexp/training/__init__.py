"""Training: a loop that yields records, and all that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.faces import face

__all__ = ["Horizon"]

if TYPE_CHECKING:
    from qaexp.training.schedules import Horizon

__getattr__, __dir__ = face(__name__, {"Horizon": "qaexp.training.schedules"})
