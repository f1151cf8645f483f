"""Advice in errors of commands that go on with a stored config: where settings that they do not take are given."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qaexp.config.schema import OPEN_NODES, leaves, neutral_keys

# The commands that run a stored config, and which settings they take.
TAKES = {"resume": "keys that cannot change results", "reproduce": "none"}

_HAS_A_WAY_OUT = ("qaexp train", "the whole command", "give the command")
_ADVICE = re.compile(r"\b(?:set|lower|raise|lengthen|shorten|choose|take|give|try an?) ([a-z_]+(?:\.\w+)+)")


def named_settings(text: str) -> set[str]:
    """The keys of the config that a text names.

    >>> sorted(named_settings("lower optimizer.lr, or set trainer.precision=fp32; see data.json"))
    ['optimizer.lr', 'trainer.precision']
    """
    known = {name for name, _, _ in leaves() if "." in name}
    words = re.findall(r"(?<![\w./-])[a-z_]+(?:\.\w+)+", text)
    return {word for word in words if word in known or word.partition(".")[0] in OPEN_NODES}


def where_settings_are_given(command: str, problems: Iterable[str]) -> list[str]:
    """What is said after problems whose advice the command does not take; nothing where it takes it.

    >>> where_settings_are_given("resume", ["diverged; lower optimizer.lr"])
    ['settings are given to qaexp train, with another name=; qaexp resume takes keys that cannot change results']
    """
    if command not in TAKES:
        return []
    taken = neutral_keys() if command == "resume" else frozenset[str]()
    for problem in problems:
        advised = set().union(*map(named_settings, _ADVICE.findall(problem)))
        if advised - taken and not any(words in problem for words in _HAS_A_WAY_OUT):
            return [f"settings are given to qaexp train, with another name=; qaexp {command} takes {TAKES[command]}"]
    return []
