"""Repeats of one config as one row, and its place among other rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qaexp.comparison.entries import Entry
from qaexp.comparison.estimates import Estimate
from qaexp.comparison.observations import Design
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER
from qaexp.runs.readers.group_names import letter

# What sets other programs' results apart, as if it were a key of the config.
PROGRAM = "program"
# Its value for runs.
OWN = "qaexp"


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Runs that are equal up to their seeds, or with `--by` in one key.

    Attributes:
        number: Which group this is in all outputs, from 1; by the metric, whatever the table is sorted by.
        name: What sets it apart from the other groups; no two groups of a comparison share one.
        long_name: The same with each key in full, whatever its runs are called: it decides where numbers do not.
        changes: The same, by dotted key.
        settings: All its keys but the seeds; of a key that varies inside the group all its values.
        entries: Its runs, by their seeds.
        design: Which of them are observations.
        averaged: What else than the seeds differs between them, with `--by`: each of the settings, as text.
        metrics: Name to `Estimate`.
        flags: Health flag to how many runs raised it.
    """

    number: int
    name: str
    long_name: str
    changes: Mapping[str, Any]
    settings: Mapping[str, Any]
    entries: Sequence[Entry]
    design: Design
    averaged: frozenset[str]
    metrics: Mapping[str, Estimate]
    flags: Mapping[str, int]

    @property
    def letter(self) -> str:
        """Its number as letters, for figures."""
        return letter(self.number)

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.entries)

    @property
    def program(self) -> str | None:
        """What else than qaexp its results are from, in words; None for runs."""
        return self.entries[0].run.program

    @property
    def num_collapsed(self) -> int:
        """How many of its runs answer nothing."""
        return sum(entry.is_collapsed for entry in self.entries)

    @property
    def is_collapsed(self) -> bool:
        """Whether one of its runs answers nothing: its score shows no skill, so there is no rank and no verdict."""
        return self.num_collapsed > 0

    @property
    def silence(self) -> str | None:
        """How many of its runs answer nothing, and where, in words; None where all answer."""
        places = list(dict.fromkeys(entry.collapse for entry in self.entries if entry.collapse))
        if not places:
            return None
        where = places[0] if len(places) == 1 else "at threshold 0 or at their tuned ones"
        runs = f"{self.num_collapsed} of {self.n} run{'s' if self.n != 1 else ''}"
        return f"{runs} answer{'s' if self.num_collapsed == 1 else ''} nothing {where}"

    def gaps(self, names: Sequence[str]) -> list[str]:
        """Sentences about numbers that only some of its runs have; the first name is what is compared."""
        having = {name: sum(name in entry.metrics for entry in self.entries) for name in dict.fromkeys(names)}
        told = [f"{name} is over {count} of its {self.n} runs" for name, count in having.items() if 0 < count < self.n]
        if not having[names[0]]:
            told.insert(0, f"{self.entries[0].run.shown_name} {self.entries[0].lack(names[0])}: no rank and no verdict")
        return told

    @property
    def seeds(self) -> tuple[tuple[Any, ...], ...]:
        """The seeds of its runs."""
        return tuple(entry.seeds for entry in self.entries)


def numbered(groups: Sequence[Group], *, start: int) -> list[Group]:
    """The groups with their numbers, from `start`, in the order in which they are given."""
    return [replace(group, number=number) for number, group in enumerate(groups, start=start)]


def ranked(groups: Sequence[Group], metric: str) -> list[Group]:
    """The best group first; collapsed ones after all others, and those without the metric last.

    Ties, and everything else about the order, follow from the names with all keys alone.
    """
    sign = 1.0 if number_of(metric).better == LOWER else -1.0

    def place(group: Group) -> tuple[bool, bool, float, str]:
        found = group.metrics.get(metric)
        # Rounded, so that sums in another order cannot swap groups that are alike.
        value = round(found.mean, 9) if found else math.inf
        return found is None, group.is_collapsed, sign * value if found else 0.0, group.long_name

    return sorted(groups, key=place)
