"""Machines, versions and code of runs: which of them may have made a difference besides the config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.comparison.entries import Entry
from qaexp.errors import IntegrityError
from qaexp.runs.directory import ENVIRONMENT
from qaexp.storage.formats import dotted
from qaexp.storage.reading import read_json

# Of env.json; the command line and the working directory differ in every run.
_SHOWN = ("versions.", "device.", "git.code.", "threads", "determinism.", "machine.")

_COMPUTING = ("python", "qaexp", "torch", "transformers", "tokenizers", "accelerate", "numpy")
CODE = "code_hash"
# What can change results for all seeds alike. The number of threads changes the last bits only, as another seed does.
CAUSES = (*(f"versions.{name}" for name in _COMPUTING), "device.device", "device.type", "device.name")
CAUSES += ("device.precision", CODE)
# Variables that limit the instructions of a CPU, of which each is a cause.
_LIMITS = "machine.cpu_limits."
# What a key of the config decides is no cause of its own where that key differs.
_DECIDED_BY = {"device.precision": "trainer.precision"}

NOT_SAID = "-"


class Machines:
    """Reads each env.json once."""

    def __init__(self) -> None:
        self._known: dict[Path, Mapping[str, str]] = {}

    def of(self, entry: Entry) -> Mapping[str, str]:
        """What one run was computed with, as texts by dotted key; empty where it cannot be read."""
        path = entry.run.path
        if path not in self._known:
            self._known[path] = _read(entry)
        return self._known[path]

    def differences(self, groups: Sequence[Sequence[Entry]]) -> dict[str, list[str]]:
        """What differs between runs, one cell a group: the value, or each value with how many of its runs have it."""
        # Nothing of the kind is known of other programs' results.
        groups = [[entry for entry in group if entry.run.program is None] for group in groups]
        found = [[self.of(entry) for entry in group] for group in groups]
        keys = dict.fromkeys(key for group in found for one in group for key in one)
        columns = {key: [[one.get(key, NOT_SAID) for one in group] for group in found] for key in keys}
        return {
            key: [_cell(values) for values in column]
            for key, column in columns.items()
            if len({value for values in column for value in values}) > 1
        }

    def causes(self, a: Sequence[Entry], b: Sequence[Entry], changed: Collection[str]) -> list[str]:
        """What may have made a difference between two groups, in whose configs these keys differ.

        A key whose values are distributed alike is not a cause: with the same seeds both runs of each pair have the
        same value, otherwise each value has the same share of both groups.
        """
        is_paired = {entry.seeds for entry in a} == {entry.seeds for entry in b} and len(a) == len(b)
        limits = {key for entry in (*a, *b) for key in self.of(entry) if key.startswith(_LIMITS)}
        keys = (*CAUSES, *sorted(limits))
        one, other = (self._shares(group, keys, is_paired) for group in (a, b))
        apart = [key for key in keys if one.get(key) != other.get(key)]
        return [key for key in apart if _DECIDED_BY.get(key) not in changed]

    def without_idle(self, a: Sequence[Entry], b: Sequence[Entry], factors: Sequence[str]) -> list[str]:
        """The keys without those that decided the same in all runs of two groups, unless no other is left.

        `trainer.precision` is such a key: `auto` and `fp32` are two words for one format on some machines.
        """
        idle = {key for thing, key in _DECIDED_BY.items() if self._is_alike(thing, (*a, *b))}
        return [key for key in factors if key not in idle] or list(factors)

    def _is_alike(self, key: str, entries: Sequence[Entry]) -> bool:
        values = {self.of(entry).get(key, NOT_SAID) for entry in entries}
        return len(values) == 1 and NOT_SAID not in values

    def _shares(self, group: Sequence[Entry], keys: Sequence[str], is_paired: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in keys:
            values = [(entry.seeds if is_paired else None, self.of(entry).get(key, NOT_SAID)) for entry in group]
            found[key] = {value: count / len(group) for value, count in Counter(map(repr, values)).items()}
        return found


def _cell(values: Sequence[str]) -> str:
    if not values:
        return NOT_SAID
    counts = Counter(values)
    if len(counts) == 1:
        return values[0]
    return ", ".join(f"{value} ({count} of {len(values)})" for value, count in sorted(counts.items()))


def _read(entry: Entry) -> Mapping[str, str]:
    try:
        stored = dotted(read_json(entry.run.path / ENVIRONMENT))
    except (IntegrityError, FileNotFoundError):
        stored = {}
    kept = {key: str(value) for key, value in stored.items() if key.startswith(_SHOWN)}
    return {**kept, CODE: str(entry.run.run.get(CODE) or NOT_SAID)[:12]}
