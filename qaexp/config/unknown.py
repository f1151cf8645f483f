"""Words of a command line that fit nothing, told with what was most likely meant."""

from __future__ import annotations

from collections.abc import Iterable

from qaexp.config.habits import NOT_NEEDED, in_our_words
from qaexp.config.suggest import offered

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
    value = line.partition("=")[2]
    if key in _FLAGS:
        return f"{key} is a flag, no key; write {_FLAGS[key].format(value)}"
    ours = in_our_words(key, value) if "." not in key else None
    if ours == NOT_NEEDED:
        return f"{key} is no key, and nothing needs it here; leave it out"
    if ours is not None and (" " in ours or not ours.endswith(f"={value}")):
        return f"{key} is no key; write {ours}"
    return f"{key} is no key{offered(key, legal)}"
