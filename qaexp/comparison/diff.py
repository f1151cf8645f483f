"""What differs between groups besides their scores: the config's keys, and apart from them machines and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qaexp.comparison.groups import Group
from qaexp.errors import IntegrityError
from qaexp.runs.directory import ENVIRONMENT
from qaexp.runs.formats import dotted
from qaexp.runs.reading import read_json

_ENVIRONMENT_KEYS = ("versions.", "device.", "git.code.", "threads", "determinism.", "machine.")
"""Of env.json; the command line and the working directory differ in every run."""

_NOT_SAID = "-"


def config_differences(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """The keys that differ between groups, with the value of each group in order."""
    keys = dict.fromkeys(key for group in groups for key in group.changes)
    return {key: [group.changes.get(key) for group in groups] for key in keys}


def environment_differences(groups: Sequence[Group]) -> dict[str, list[str]]:
    """What differs in machines, versions and code between the first runs of groups, in order; texts."""
    found = [_environment(group) for group in groups]
    keys = dict.fromkeys(key for one in found for key in one)
    rows = {key: [one.get(key, _NOT_SAID) for one in found] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _environment(group: Group) -> Mapping[str, str]:
    run = group.entries[0].run
    try:
        stored = dotted(read_json(run.path / ENVIRONMENT))
    except (IntegrityError, FileNotFoundError):
        stored = {}
    kept = {key: str(value) for key, value in stored.items() if key.startswith(_ENVIRONMENT_KEYS)}
    return {**kept, "code_hash": str(run.run.get("code_hash") or _NOT_SAID)[:12]}
