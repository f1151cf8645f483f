"""The group that others are compared with: the one a user names, or the one nearest to the default config."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qaexp.comparison.groups import Group
from qaexp.errors import ConfigError
from qaexp.runs.readers.defaults import is_default


def nearest(groups: Sequence[Group], defaults: Mapping[str, Any]) -> tuple[Group, str]:
    """The group nearest to some defaults, and why, in words.

    It is the one with the fewest keys that differ; among groups that differ in the same keys with numbers as values,
    the one with the smallest sum of ratios to the defaults. Keys that are equal in all groups do not count. A collapsed
    group is chosen only if all are.
    """
    # Settings of other programs are not known, and so neither is how near they are.
    if any(group.program is None and not group.is_collapsed for group in groups):
        groups = [group for group in groups if group.program is None]
    able = [group for group in groups if not group.is_collapsed] or list(groups)
    told = "" if len(able) == len(groups) else ", of those that answer"
    varying = {
        key: default
        for key, default in defaults.items()
        if len({repr(group.settings.get(key)) for group in groups}) > 1
    }
    keys = {id(group): _differing(group, varying) for group in able}
    fewest = min(len(found) for found in keys.values())
    able = [group for group in able if len(keys[id(group)]) == fewest]
    if len(able) == 1:
        return able[0], f"the group closest to the default settings{told}"
    if len({tuple(keys[id(group)]) for group in able}) == 1:
        told_apart = [key for key in keys[id(able[0])] if len({repr(group.settings[key]) for group in able}) > 1]
        distances = {id(group): _distance(group, told_apart, defaults) for group in able}
        least = min(distances.values())
        closest = [group for group in able if distances[id(group)] <= least * (1 + 1e-12)]
        if len(closest) == 1 and math.isfinite(least):
            return closest[0], f"the group closest to the default settings{told}"
        able = closest
    first = min(able, key=lambda group: _natural(group.long_name))
    return first, f"none is closer to the default settings{told}: the first by name"


def chosen(groups: Sequence[Group], words: str) -> Group:
    """The group that a user means: by its name, long or short, a unique part of it, its number, or one of its runs.

    Raises:
        ConfigError: No group fits, or several do.
    """
    asked = words.rstrip("/")
    ways: tuple[Callable[[Group], bool], ...] = (
        lambda group: words in (group.name, group.long_name),
        lambda group: any(asked in (e.run.run_id, e.run.path.name, str(e.run.path)) for e in group.entries),
        lambda group: words.removeprefix("#") == str(group.number),
        lambda group: bool(words.split()) and set(words.split()) <= {*group.name.split(), *group.long_name.split()},
        lambda group: bool(words) and (words in group.name or words in group.long_name),
    )
    part: list[Group] = []
    for way in ways:
        part = [group for group in groups if way(group)]
        if len(part) == 1:
            return part[0]
    names = ", ".join(repr(group.name) for group in groups[:10])
    count = "no" if not part else f"{len(part)}"
    raise ConfigError(f"--baseline {words!r} names {count} group{'s' if len(part) > 1 else ''}; give one of {names}")


def _differing(group: Group, defaults: Mapping[str, Any]) -> list[str]:
    return [
        key for key in defaults if key in group.settings and not is_default(key, group.settings[key], defaults[key])
    ]


def _distance(group: Group, keys: Sequence[str], defaults: Mapping[str, Any]) -> float:
    """The sum over keys of how many times a number is larger or smaller; infinite if one is not a number above 0."""
    return math.fsum(_ratio(group.settings[key], defaults[key]) for key in keys)


def _ratio(value: Any, default: Any) -> float:
    numbers = [one for one in (value, default) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < 2:
        return math.inf
    if min(numbers) <= 0:
        # No ratio: a change from 0 counts by its size.
        return abs(numbers[0] - numbers[1])
    return abs(math.log(numbers[0] / numbers[1]))


def _natural(text: str) -> list[tuple[int, float, str]]:
    """A key that sorts numbers inside of a text as numbers.

    >>> sorted(["lr=0.001", "lr=0.00029", "lr=2e-5"], key=_natural)
    ['lr=2e-5', 'lr=0.00029', 'lr=0.001']
    """
    parts = re.split(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", text)
    return [(0, float(part), "") if place % 2 else (1, 0.0, part) for place, part in enumerate(parts)]
