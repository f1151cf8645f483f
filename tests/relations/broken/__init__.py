"""qaexp broken on purpose: each function takes one promise of `qaexp compare` away by patches."""

from tests.relations.broken import beside, intervals, runs, tested, told
from tests.relations.broken.registry import FAULTS

__all__ = ["FAULTS", "beside", "intervals", "runs", "tested", "told"]
