"""What changed in the world of a run since it was started, as far as it can change results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.runs.directory import CONFIG, ENVIRONMENT
from qaexp.runs.identity import Identity
from qaexp.runs.short_words import value_text
from qaexp.storage.reading import read_json

MAX_CHANGES_SHOWN = 10

# Other bytes must be expected from another version of these, or from another kind of device.
_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "numpy")
_LIMITS = "cpu_limits"
_DEVICE_KEYS = ("device", "name", "precision", "num_processes")
# Where env.json has what a key of the config asks for, people know it by the key.
_ASKED_BY = {"device.num_processes": "trainer.processes"}

_PRECISION, _ATTENTION = "trainer.precision", "trainer.attention"
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LENGTHS = ("trainer.epochs", "trainer.max_steps")

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
    if _PRECISION in changes:
        # In an identity `auto` is fp32: what it was elsewhere stands there by its own name.
        old, new = ("auto (fp32)" if value == "auto" else value for value in changes[_PRECISION])
        changes[_PRECISION] = (old, new)
    if _ATTENTION in changes:
        old, new = ("plain" if value is None else value for value in changes[_ATTENTION])
        changes[_ATTENTION] = (old, new)
    return changes or {"qaexp": ("made by another version of qaexp", "this one")}


def environment_changes(directory: Path, environment: Mapping[str, Any]) -> Changes:
    """Return `{dotted key: (stored, now)}` for packages, device, number format, processes and instructions."""
    stored = read_json(directory / ENVIRONMENT) if (directory / ENVIRONMENT).exists() else {}
    changes: Changes = {}
    for group, keys in (("versions", _PACKAGES), ("device", _DEVICE_KEYS)):
        old, new = stored.get(group), environment.get(group)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found = {f"{group}.{key}": (old[key], new.get(key)) for key in keys if key in old}
            changes |= {_ASKED_BY.get(key, key): values for key, values in found.items() if values[0] != values[1]}
    return changes | _limit_changes(stored.get("machine"), environment.get("machine"))


def _limit_changes(old: Any, new: Any) -> Changes:
    """The variables that limit the CPU's instructions, of which nothing is stored where none is set."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return {}
    before, now = (found if isinstance(found := one.get(_LIMITS), Mapping) else {} for one in (old, new))
    names = sorted({*before, *now})
    return {
        f"machine.{_LIMITS}.{name}": (before.get(name), now.get(name))
        for name in names
        if before.get(name) != now.get(name)
    }


def entries(changes: Changes, step: int | None) -> list[dict[str, Any]]:
    """The changes as run.json holds them, since the step of a checkpoint."""
    return [{"key": key, "old": old, "new": new, "step": step} for key, (old, new) in changes.items()]


def shown(changes: Changes) -> str:
    """Return the changes as words: keys first, the first of many; other files are named once, not by their hashes.

    >>> shown({"weights.weights_sha256": ("a" * 64, "b" * 64), "trainer.epochs": (4, 6)})
    'trainer.epochs was 4, now 6, other weights'
    >>> shown({"data.files.train": ("a" * 64, "b" * 64), "data.files.dev": ("a" * 64, "c" * 64)})
    'other data (data.files.train, data.files.dev)'
    """
    files = [key for key, values in changes.items() if key.startswith("weights.") or any(map(_is_hash, values))]
    keys = [key for key in changes if key not in files]
    words = [f"{key} was {_told(changes[key][0])}, now {_told(changes[key][1])}" for key in keys[:MAX_CHANGES_SHOWN]]
    more = len(keys) - len(words)
    if any(key.startswith("weights.") for key in files):
        words.append("other weights")
    if others := [key for key in files if not key.startswith("weights.")]:
        words.append(f"other data ({', '.join(others)})")
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _told(value: object) -> str:
    """A value as a command line has it; a text in quotes."""
    return repr(value) if isinstance(value, str) else value_text(value)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def is_longer_training(changes: Changes) -> bool:
    """Say whether nothing but more epochs or steps is asked for."""
    return bool(changes) and all(
        key in _LENGTHS and isinstance(old, int) and isinstance(new, int) and new > old
        for key, (old, new) in changes.items()
    )
