"""The tests of qaexp, and where they stand."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def _beside(variable: str, place: str) -> Path:
    """A folder that is not part of the repository: named by an environment variable, or beside the checkout."""
    return Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / place)


SAMPLE = _beside("QAEXP_SAMPLE", "data/squad_v2_sample")
GOLDEN = _beside("QAEXP_GOLDEN", "golden")
