"""The default config as plain values, which runs are held against: read from a file, so that no Hydra is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "config" / "defaults.json"


def default_leaves() -> dict[str, Any]:
    """Return the values of the default config by dotted key, and its choices by group; interpolations are left out."""
    found: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return found
