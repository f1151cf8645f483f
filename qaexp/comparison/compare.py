"""Run directories in, all that is to be said about them out: the function behind command and page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.entries import Entry, NotComparableError, examine
from qaexp.comparison.groups import Group, chosen, form_groups, nearest, ranked
from qaexp.comparison.guard import blocks
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import collected, where
from qaexp.comparison.verdict import RELEVANT_POINTS
from qaexp.errors import ConfigError, QaexpError
from qaexp.runs.collect import RunFiles
from qaexp.runs.directory import SUMMARY_KEYS
from qaexp.runs.groups import differing, named, settings

DEFAULT_METRIC = "crossfit_f1"


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may ask for.

    Attributes:
        metric: What groups are ranked by: a number of summary.json.
        baseline: A group to compare with; None: the one nearest to the default config.
        by: Group by the value of this key alone.
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
        groups: The best first.
        contrasts: Pairs of them.
        baseline: The name of the group that others are compared with; None for a single group.
        reason: Why they stand apart from the first table; None for the first.
        ranks: The place of each group by its name, from 1; None for one that answers nothing.
    """

    groups: Sequence[Group]
    contrasts: Sequence[Contrast]
    baseline: str | None
    reason: str | None
    ranks: Mapping[str, int | None]

    def group(self, name: str) -> Group:
        """The group of a name."""
        return next(group for group in self.groups if group.name == name)


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
        baseline_reason: Why that baseline.
    """

    options: Options
    tables: Sequence[Table]
    names: Mapping[Path, str]
    refused: Sequence[tuple[Sequence[Path], str]]
    skipped: Sequence[tuple[Path, str]]
    reader: ScoreReader
    cluster_kind: str | None
    baseline_reason: str

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
    reader = ScoreReader()
    entries, refused, damaged = _examined(runs, reader)
    parts = blocks(entries)
    if parts:
        _check_metric(options.metric, entries)
        _check_metric(options.sort or options.metric, entries)
    tables = [_table(part.entries, part.reason, reader, options) for part in parts]
    if options.baseline is not None and parts:
        _check_baseline(tables, options.baseline)
    refused += [(tuple(entry.run.path for entry in part.entries), part.reason) for part in parts[1:] if part.reason]
    kind = reader.read(entries[0].run).questions.cluster_kind if entries else None
    reason = "as asked for" if options.baseline else "the group nearest to the default config"
    return Comparison(
        options=options,
        tables=tables,
        names=_names(entries, options.neutral),
        refused=refused,
        skipped=sorted([*skipped, *filtered, *damaged], key=lambda row: (str(row[0]), row[1])),
        reader=reader,
        cluster_kind=kind,
        baseline_reason=reason,
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


def _check_metric(metric: str, entries: Sequence[Entry]) -> None:
    if any(metric in entry.metrics for entry in entries):
        return
    from qaexp.config.suggest import did_you_mean

    known = dict.fromkeys(name for entry in entries for name in entry.metrics)
    raise ConfigError(
        f"--metric {metric}: no run has it{did_you_mean(metric, [*known, *SUMMARY_KEYS])}; it is a number of "
        "summary.json"
    )


def _table(entries: Sequence[Entry], reason: str | None, reader: ScoreReader, options: Options) -> Table:
    groups = ranked(form_groups(entries, reader, options.neutral, by=options.by), options.metric)
    ranks = {group.name: None if group.is_collapsed else place for place, group in enumerate(groups, start=1)}
    if len(groups) < 2:
        return Table(groups, [], None, reason, ranks)
    baseline = nearest(groups, options.defaults)
    if options.baseline is not None:
        # Every table needs one; that the words name a group of some table is checked for all of them.
        with suppress(ConfigError):
            baseline = chosen(groups, options.baseline)
    found = contrasts(groups, reader, baseline, options.metric, relevant=options.relevant)
    shown = ranked(groups, options.sort) if options.sort else groups
    return Table(shown, found, baseline.name, reason, ranks)


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
