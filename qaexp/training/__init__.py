"""Training: a loop that yields records, and everything it is made of."""

from qaexp.training.schedules import Horizon

__all__ = ["Horizon"]
