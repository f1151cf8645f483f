"""Which choices of a group have a key: `optimizer.momentum` is one of optimizer=sgd, and none of optimizer=adamw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import yaml
from omegaconf import DictConfig

from qaexp.config.checks.values import find_node
from qaexp.config.conf import conf_directory
from qaexp.config.schema import OPEN_NODES


def lacking_sentence(
    key: str, line: str, swept: Mapping[str, Sequence[str]], compose: Callable[[str], DictConfig]
) -> str | None:
    """Say for which jobs of a sweep over choices a key does not exist.

    Args:
        key: The dotted key.
        line: The override that gives it.
        swept: Each group with its choices, where a sweep has several.
        compose: Composes a config with one choice, `group=name`.

    Returns:
        The sentence; None where all choices have the key, or none has.
    """
    group = key.partition(".")[0]
    names = swept.get(group, ())
    has = [name for name in names if find_node(compose(f"{group}={name}"), key) is not None]
    lack = [name for name in names if name not in has]
    if not has or not lack:
        return None
    return (
        f"{key} is not a key of {_all(group, lack)}, so that the jobs with {'it' if len(lack) == 1 else 'them'} cannot "
        f"have it; leave out {line}, or sweep {group}={','.join(has)} by itself with it"
    )


def holders(key: str) -> str:
    """The choices of qaexp's own that have a key which the chosen one lacks, as the end of a sentence.

    >>> holders("optimizer.momentum"), holders("optimizer.zzz"), holders("seed")
    ('; it is a key of optimizer=muon and optimizer=sgd', '', '')
    """
    group, _, name = key.partition(".")
    if group not in OPEN_NODES or not name:
        return ""
    files = sorted((conf_directory() / group).glob("*.yaml"))
    found = [file.stem for file in files if name in yaml.safe_load(file.read_text("utf-8"))]
    return f"; it is a key of {_all(group, found)}" if found else ""


def _all(group: str, names: Sequence[str]) -> str:
    return " and ".join(f"{group}={name}" for name in names)
