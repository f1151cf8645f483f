"""Run directories in, all that is to be said about them out: the function behind command and page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qaexp.comparison.baseline import chosen, nearest
from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.entries import Entry, NotComparableError, examine, is_edited
from qaexp.comparison.groups import Group, form_groups, numbered, ranked
from qaexp.comparison.guard import blocks
from qaexp.comparison.looks import EarlierLooks
from qaexp.comparison.machines import Machines
from qaexp.comparison.ranks import Rank, ranks
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import collected, observed, where
from qaexp.comparison.verdict import RELEVANT_POINTS
from qaexp.errors import ConfigError, QaexpError
from qaexp.runs.collect import RunFiles
from qaexp.runs.directory import SCORES
from qaexp.runs.formats import counted
from qaexp.runs.groups import differing, named, settings
from qaexp.runs.metrics import NUMBERS, number_of

DEFAULT_METRIC = "crossfit_f1"


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may ask for.

    Attributes:
        metric: What groups are ranked by: a number of summary.json.
        baseline: A group to compare with; None: the one nearest to the default config.
        by: Group by the value of this key alone, a seed or another one; other settings are averaged.
        where: Conditions such as `optimizer.lr>=1e-4` on the config or the summary.
        sort: A metric to order the table by, instead of the ranking.
        allow_mixed: Show runs that were measured differently in one table; they are still not tested together.
        relevant: Points from which on a difference matters.
        neutral: Dotted keys of the config that cannot change results.
        defaults: The default config, by dotted key.
    """

    metric: str = DEFAULT_METRIC
    baseline: str | None = None
    by: str | None = None
    where: Sequence[str] = ()
    sort: str | None = None
    allow_mixed: bool = False
    relevant: float = RELEVANT_POINTS
    neutral: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Groups that were measured alike.

    Attributes:
        groups: In the order in which they are shown.
        contrasts: Pairs of them.
        baseline: The name of the group that others are compared with; None for a single group.
        reason: Why they stand apart from the first table; None for the first.
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
        skipped: What is no completed run: path and reason.
        reader: Reads the scores of any of the runs.
        cluster_kind: What a cluster of questions is: `title` or `paragraph`; None without runs.
        machines: Reads what any of the runs was computed with.
        notes: What a reader must know of all tables.
        edited: Runs whose summary.json is not the one that they wrote.
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
    edited: Sequence[Path] = ()

    @property
    def doubt(self) -> str | None:
        """What is to be said of edited runs."""
        if not self.edited:
            return None
        return (
            f"{counted(len(self.edited), 'run')} of {len(self.entries)} hold another summary.json than they wrote, "
            f"the first {self.edited[0].name}: qaexp verify tells more"
        )

    @property
    def entries(self) -> list[Entry]:
        """Every run of every table."""
        return [entry for table in self.tables for group in table.groups for entry in group.entries]


def compare(paths: Iterable[str | Path], options: Options | None = None) -> Comparison:
    """Compare the completed runs under some paths; nothing is written.

    Args:
        paths: Run directories, sweep directories, folders of them, or patterns such as `outputs/*`; their order does
            not matter.
        options: What is asked for.

    Raises:
        ConfigError: A path does not exist, or an option names what no run has.
    """
    options = options or Options()
    runs, skipped = collected(paths)
    runs, filtered = where(runs, options.where)
    runs, repeats = observed(runs, options.neutral)
    reader = ScoreReader()
    entries, refused, damaged = _examined(runs, reader)
    options, notes = _with_metric(options, entries)
    machines = Machines()
    parts, tables, start = blocks(entries), list[Table](), 1
    for part in parts:
        tables.append(_table(part.entries, part.reason, reader, machines, options, start=start))
        start += len(tables[-1].groups)
    if options.baseline is not None and parts:
        _check_baseline(tables, options.baseline)
    refused += [(tuple(entry.run.path for entry in part.entries), part.reason) for part in parts[1:] if part.reason]
    return Comparison(
        options=options,
        tables=tables,
        names=_names(entries, options.neutral),
        refused=refused,
        skipped=sorted([*skipped, *filtered, *repeats, *damaged], key=lambda row: (str(row[0]), row[1])),
        reader=reader,
        cluster_kind=_cluster_kind(tables[0].groups[0].entries, options.metric, reader) if tables else None,
        machines=machines,
        notes=notes,
        edited=[entry.run.path for entry in entries if is_edited(entry.run)],
    )


def _examined(
    runs: Sequence[RunFiles], reader: ScoreReader
) -> tuple[list[Entry], list[tuple[Sequence[Path], str]], list[tuple[Path, str]]]:
    entries: list[Entry] = []
    refused: list[tuple[Sequence[Path], str]] = []
    damaged: list[tuple[Path, str]] = []
    for run in runs:
        try:
            entries.append(examine(run, reader))
        except NotComparableError as refusal:
            refused.append(((run.path,), str(refusal)))
        except (QaexpError, OSError) as error:
            damaged.append((run.path, str(error)))
    return entries, refused, damaged


def _with_metric(options: Options, entries: Sequence[Entry]) -> tuple[Options, list[str]]:
    """The options with a metric that runs have; where the default cannot apply, f1 takes its place and is told."""
    notes: list[str] = []
    if not entries:
        return options, notes
    has_default = any(DEFAULT_METRIC in entry.metrics for entry in entries)
    if options.metric == DEFAULT_METRIC and not has_default and any("f1" in entry.metrics for entry in entries):
        notes.append(
            f"{DEFAULT_METRIC} is null in all runs (it needs two articles or paragraphs of dev questions): f1 is "
            "compared"
        )
        options = replace(options, metric="f1")
    _check_metric("--metric", options.metric, entries)
    if options.sort is not None:
        _check_metric("--sort", options.sort, entries)
    return options, notes


def _check_metric(option: str, metric: str, entries: Sequence[Entry]) -> None:
    if any(metric in entry.metrics for entry in entries):
        return
    if metric in NUMBERS:
        raise ConfigError(f"{option} {metric}: it is null in all runs; give another number of summary.json, such as f1")
    from qaexp.config.suggest import did_you_mean

    known = dict.fromkeys(name for entry in entries for name in entry.metrics)
    raise ConfigError(
        f"{option} {metric}: no run has it{did_you_mean(metric, [*known, *NUMBERS])}; it is a number of summary.json"
    )


def _table(
    entries: Sequence[Entry],
    reason: str | None,
    reader: ScoreReader,
    machines: Machines,
    options: Options,
    *,
    start: int,
) -> Table:
    formed = form_groups(entries, reader, options.neutral, by=options.by)
    groups = numbered(ranked(formed, options.metric), start=start)
    if len(groups) < 2:
        return Table(groups, [], None, reason, ranks(groups, [], options.metric))
    baseline, why = nearest(groups, options.defaults)
    if options.baseline is not None:
        # Every table needs one; that the words name a group of some table is checked for all of them.
        with suppress(ConfigError):
            baseline, why = chosen(groups, options.baseline), "as asked for"
    unit = units(_cluster_kind(entries, options.metric, reader))
    found = contrasts(
        groups,
        reader,
        baseline,
        options.metric,
        relevant=options.relevant,
        unit=unit,
        machines=machines,
        looks=EarlierLooks(entries).of,
    )
    shown = ranked(groups, options.sort) if options.sort else groups
    return Table(shown, found, baseline.name, reason, ranks(groups, found, options.metric), why, unit)


def _cluster_kind(entries: Sequence[Entry], metric: str, reader: ScoreReader) -> str:
    """What a cluster is of the questions that a metric is over; of the dev set's where it has none of its own."""
    table = number_of(metric).table if reader.measured(entries[0].run, metric) is not None else SCORES
    return reader.read(entries[0].run, table).questions.cluster_kind


def units(kind: str | None) -> str:
    """What clusters of questions are, in the plural.

    >>> units("title")
    'articles'
    """
    return "articles" if kind == "title" else "paragraphs"


def _check_baseline(tables: Sequence[Table], words: str) -> None:
    problem = None
    for table in tables:
        try:
            chosen(table.groups, words)
            return
        except ConfigError as error:
            problem = problem or error
    if problem:
        raise problem


def _names(entries: Sequence[Entry], neutral: frozenset[str]) -> dict[Path, str]:
    changes = differing([settings(entry.run, neutral, with_seeds=True) for entry in entries])
    return {
        entry.run.path: named({key: value for key, value in changed.items() if not _follows(key, value, changed)})
        if changed
        else str(entry.run.config.get("name") or entry.run.path.name)
        for entry, changed in zip(entries, changes, strict=True)
    }


def _follows(key: str, value: Any, changed: Mapping[str, Any]) -> bool:
    """Is this one of `seeds.*`, and says only what `seed` says?"""
    return key.startswith("seeds.") and changed.get("seed") == value
