"""What differs between groups besides their scores: the config's keys, and apart from them machines and code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qaexp.comparison.groups import Group
from qaexp.comparison.machines import Machines


def config_differences(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """The keys that differ between groups, with the value of each group in order."""
    keys = dict.fromkeys(key for group in groups for key in group.changes)
    return {key: [group.changes.get(key) for group in groups] for key in keys}


def environment_differences(groups: Sequence[Group], machines: Machines) -> dict[str, list[str]]:
    """What is not alike in machines, versions and code of all runs, one cell a group in order; texts.

    Where the runs of a group differ, its cell says how many have which value.
    """
    return machines.differences([group.entries for group in groups])
