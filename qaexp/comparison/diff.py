"""What differs between groups besides their scores: keys of the config, and separately machines and code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qaexp.comparison.groups import OWN, PROGRAM, Group
from qaexp.comparison.machines import Machines


def config_differences(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """The keys that differ between groups, with the value of each group in order."""
    keys = dict.fromkeys(key for group in groups for key in group.changes if key != PROGRAM)
    programs = [group.program or OWN for group in groups]
    found: dict[str, list[Any]] = {PROGRAM: programs} if len(set(programs)) > 1 else {}
    return found | {key: [group.changes.get(key) for group in groups] for key in keys}


def environment_differences(groups: Sequence[Group], machines: Machines) -> dict[str, list[str]]:
    """What differs in machines, versions and code, as texts, one cell a group in order.

    If the runs of a group differ, its cell says how many have which value.
    """
    return machines.differences([group.entries for group in groups])
