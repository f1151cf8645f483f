"""What changed in the world of a run since it was started, as far as it can change results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.runs.directory import CONFIG, ENVIRONMENT
from qaexp.runs.identity import Identity
from qaexp.runs.reading import read_json

MAX_CHANGES_SHOWN = 10

# Other bytes must be expected from another version of these, or from another kind of device.
_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "numpy")
_DEVICE_KEYS = ("device", "name", "precision", "num_processes")

Changes = dict[str, tuple[Any, Any]]


def config_changes(directory: Path, record: Mapping[str, Any], identity: Identity) -> Changes:
    """Return `{dotted key: (stored, now)}` for config, data and weights; empty for the same run.

    Args:
        directory: The run directory.
        record: Its run.json.
        identity: What is to be run now.
    """
    if record.get("identity") == identity.sha256:
        return {}
    if not (directory / CONFIG).exists():
        return {"config": ("it was stopped before its config was stored", "another run")}
    changes = identity.changes(read_json(directory / CONFIG), record.get("inputs", {}))
    return changes or {"qaexp": ("made by another version of qaexp", "this one")}


def environment_changes(directory: Path, environment: Mapping[str, Any]) -> Changes:
    """Return `{dotted key: (stored, now)}` for packages, device, number format and number of processes."""
    stored = read_json(directory / ENVIRONMENT) if (directory / ENVIRONMENT).exists() else {}
    changes: Changes = {}
    for group, keys in (("versions", _PACKAGES), ("device", _DEVICE_KEYS)):
        old, new = stored.get(group), environment.get(group)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes |= {
                f"{group}.{key}": (old[key], new.get(key)) for key in keys if key in old and old[key] != new.get(key)
            }
    return changes


def shown(changes: Changes) -> str:
    """Return the changes as words, the first of many."""
    words = [f"{key} was {old!r}, now {new!r}" for key, (old, new) in list(changes.items())[:MAX_CHANGES_SHOWN]]
    more = len(changes) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")
