"""The result of a comparison: tables of groups that were measured alike, and what was skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qaexp.comparison.contrasts import Contrast
from qaexp.comparison.entries import Entry
from qaexp.comparison.groups import Group
from qaexp.comparison.machines import Machines
from qaexp.comparison.options import Options
from qaexp.comparison.ranks import Rank
from qaexp.comparison.scores import ScoreReader
from qaexp.runs.directory import CONFIG, SCORES, SUMMARY
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.fetched import Fetched
from qaexp.storage.formats import counted

# What may be wrong where such a file was edited.
_EDITED = {CONFIG: ", so settings may be shown wrongly", SCORES: ", so verdicts may be wrong"}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Groups that were measured alike.

    Attributes:
        groups: In the order in which they are shown.
        contrasts: Pairs of them.
        baseline: The name of the group that others are compared with; None for a single group.
        reason: Why they are not in the first table; None for the first.
        places: The rank of each group by its name; None for one that has none.
        baseline_reason: Why that baseline.
        unit: What a cluster of the questions that are tested is, in the plural.
    """

    groups: Sequence[Group]
    contrasts: Sequence[Contrast]
    baseline: str | None
    reason: str | None
    places: Mapping[str, Rank | None]
    baseline_reason: str = ""
    unit: str = "paragraphs"

    @property
    def ranks(self) -> dict[str, int | None]:
        """The best rank that each group may have by its name; several may share it."""
        return {name: None if rank is None else rank.best for name, rank in self.places.items()}

    @property
    def by_number(self) -> list[Group]:
        """The groups by their numbers: the best first, whatever the table is sorted by."""
        return sorted(self.groups, key=lambda group: group.number)

    @property
    def tested_metric(self) -> str | None:
        """What the verdicts are about; None without contrasts."""
        return self.contrasts[0].metric if self.contrasts else None

    def group(self, name: str) -> Group:
        """The group of a name."""
        return next(group for group in self.groups if group.name == name)

    @property
    def main_pair(self) -> tuple[Group, Group] | None:
        """The baseline and the best other group; None where there are no two."""
        if self.baseline is None:
            return None
        others = [group for group in self.by_number if group.name != self.baseline]
        return self.group(self.baseline), min(others, key=lambda group: (group.is_collapsed, group.number))


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All that `qaexp compare` knows.

    Attributes:
        options: What was asked for.
        tables: The largest set of runs that were measured alike first.
        names: What sets each run apart, by its path.
        refused: Runs that are not ranked with the first table, or at all: their paths, and the reason.
        skipped: What is not compared: path and reason.
        reader: Reads the scores of any of the runs.
        cluster_kind: What a cluster of questions is: `title` or `paragraph`; None without runs.
        machines: Reads what any of the runs was computed with.
        notes: What a reader must know about all tables.
        edited: Files behind it that are not those that their runs wrote, with these runs, also where another run counts
            in their place.
        num_examined: How many runs were read.
        source: Where the runs are from; those that were fetched are told by their URLs.
    """

    options: Options
    tables: Sequence[Table]
    names: Mapping[Path, str]
    refused: Sequence[tuple[Sequence[Path], str]]
    skipped: Sequence[tuple[Path, str]]
    reader: ScoreReader
    cluster_kind: str | None
    machines: Machines
    notes: Sequence[str] = ()
    edited: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    num_examined: int = 0
    source: Fetched = field(default_factory=lambda: Fetched(()))

    @property
    def main_pair(self) -> tuple[Group, Group] | None:
        """The two groups whose slices and flips are shown, of the first table that has two; None where none has."""
        return next((pair for table in self.tables if (pair := table.main_pair)), None)

    @property
    def about(self) -> str:
        """The score that verdicts are about, or, where nothing is tested, the metric."""
        return (self.tables[0].tested_metric if self.tables else None) or self.options.metric

    @property
    def relevant(self) -> float:
        """The smallest difference that matters."""
        return number_of(self.about).relevant if self.options.relevant is None else self.options.relevant

    @property
    def doubt(self) -> str | None:
        """A warning about edited runs; None without any."""
        told = [
            f"{name} is not the one that was written in {counted(len(paths), 'run')} of {self.num_examined}, first in "
            f"{paths[0].name}" + _EDITED.get(name, "")
            for name, paths in sorted(self.edited.items(), key=lambda one: (one[0] != SUMMARY, one[0]))
        ]
        return f"{'; '.join(told)}: qaexp verify shows what differs" if told else None

    @property
    def entries(self) -> list[Entry]:
        """Every run of every table."""
        return [entry for table in self.tables for group in table.groups for entry in group.entries]


def units(kind: str | None) -> str:
    """What clusters of questions are, in the plural.

    >>> units("title")
    'articles'
    """
    return "articles" if kind == "title" else "paragraphs"
