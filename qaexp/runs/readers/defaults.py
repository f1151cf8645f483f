"""The default config as plain values, which runs are held against: read from a file, so that no Hydra is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "config" / "defaults.json"


# What runs store of the default `auto` where it was this: nothing that their user changed.
_SETTLED = {"trainer.precision": "bf16", "trainer.attention": "unpadded"}


def default_leaves() -> dict[str, Any]:
    """Return the values of the default config by dotted key, and its choices by group; interpolations are left out."""
    found: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return found


def is_default(key: str, value: Any, default: Any) -> bool:
    """Whether a run's value is the default one, or what the default was for the run.

    >>> is_default("trainer.precision", "bf16", "auto"), is_default("trainer.precision", "fp32", "auto")
    (True, False)
    """
    return repr(value) == repr(default) or (default == "auto" and value == _SETTLED.get(key, default))
