"""Training: a loop that yields records, and all that it is made of."""

from qaexp.training.schedules import Horizon

__all__ = ["Horizon"]
