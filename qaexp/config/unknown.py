"""Words of a command line that fit nothing, told with what was most likely meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from qaexp.config.habits import in_our_words, said_of
from qaexp.config.holders import holders
from qaexp.config.other_tools import NOT_NEEDED
from qaexp.config.suggest import nearest, offered

# Flags without their dashes, as keys.
_FLAGS = {
    "config": "--config-dir=DIR --config-name={}",
    "config_name": "--config-dir=DIR --config-name={}",
    "config_dir": "--config-dir={}",
    "config_path": "--config-dir={}",
    "from": "--from {}",
    "multirun": "-m",
    "allow": "--allow {}",
}


def unknown_key(key: str, line: str, legal: Iterable[str]) -> str:
    """What is said of a key that there is not.

    Args:
        key: The key.
        line: The override.
        legal: All keys and groups.
    """
    value, known = line.partition("=")[2], list(legal)
    if key in _FLAGS:
        return f"{key} is a flag, no key; write {_FLAGS[key].format(value)}"
    said, ours = said_of(key, value), in_our_words(key, value)
    if ours == NOT_NEEDED:
        return f"{key} is no key, and nothing needs it here; leave it out"
    if ours is not None and (said or " " in ours or not ours.endswith(f"={value}") or _is_elsewhere(ours, key, known)):
        return f"{key} is no key{said}; write {ours}"
    return f"{key} is no key{said or holders(key) or offered(key, known)}"


def _is_elsewhere(ours: str, key: str, known: Collection[str]) -> bool:
    """Whether the nearest key to a habit is not the one that it stands for: `output_dir`, `trainer.save_steps`."""
    return nearest(key, known) != ours.partition("=")[0]
