"""Compares run directories: the function behind the command, the page and the Python API."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from qaexp.comparison.baseline import chosen, nearest
from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.earlier_looks import EarlierLooks
from qaexp.comparison.entries import Entry, NotComparableError, examine, without_path
from qaexp.comparison.group_forming import form_groups
from qaexp.comparison.groups import Group, numbered, ranked
from qaexp.comparison.guard import blocks
from qaexp.comparison.key_lookup import meant, settings_of
from qaexp.comparison.machines import Machines
from qaexp.comparison.missing_numbers import lacking_notes, leave_out_lacking
from qaexp.comparison.options import DEFAULT_METRIC, Options, with_metric
from qaexp.comparison.ranks import Rank, ranks
from qaexp.comparison.reasons import NO_SEED_IS_BETTER
from qaexp.comparison.result import Comparison, Table, units
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import collected, observed, where
from qaexp.errors import ConfigError, QaexpError
from qaexp.runs.directory import CONFIG, SCORES
from qaexp.runs.metrics import number_of
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.fetched import Fetched
from qaexp.runs.readers.group_names import own_names, setting_names
from qaexp.runs.readers.race import race_notes
from qaexp.runs.readers.recognised import recognised
from qaexp.runs.readers.repeats import SEED_KEYS, differing, settings
from qaexp.runs.trust import edited_files

__all__ = ["DEFAULT_METRIC", "Comparison", "Options", "Table", "compare", "units"]


def compare(paths: Iterable[str | Path], options: Options | None = None, source: Fetched | None = None) -> Comparison:
    """Compare the completed runs under some paths; nothing is written.

    Args:
        paths: Run directories, sweep directories, folders of them, or patterns such as `outputs/*`; their order does
            not matter.
        options: What is asked for.
        source: Where the paths are from, when some stand for URLs.

    Raises:
        ConfigError: A path does not exist, or an option names what no run has.
    """
    options, source = options or Options(), source or Fetched(())
    if options.baseline is not None:
        options = replace(options, baseline=source.local(options.baseline))
    runs, skipped = collected(paths)
    runs = recognised(runs)
    runs, filtered = where(runs, options.where)
    _check_by(options, runs)
    options = _with_whole_key(options, runs)
    reader = ScoreReader()
    examined, refused, damaged = examine_all(runs, reader)
    options, notes = with_metric(options, examined)
    entries, lacking = leave_out_lacking(examined, options, reader)
    entries, repeats = observations(entries, options.neutral)
    notes += [f"--by {options.by}: {NO_SEED_IS_BETTER}"] if options.by in SEED_KEYS else []
    notes += [*lacking_notes(lacking), *source.notes]
    notes += race_notes(list(dict.fromkeys(entry.run.path.parent for entry in entries)))
    machines = Machines()
    parts, tables, start = blocks(entries), list[Table](), 1
    for part in parts:
        taken = {group.name for table in tables for group in table.groups}
        tables.append(_table(part.entries, part.reason, reader, machines, options, start=start, taken=taken))
        start += len(tables[-1].groups)
    if options.baseline is not None and parts:
        _check_baseline(tables, options.baseline)
    refused += [(tuple(entry.run.path for entry in part.entries), part.reason) for part in parts[1:] if part.reason]
    return Comparison(
        options=options,
        tables=tables,
        names=_names(entries, options.neutral),
        refused=refused,
        skipped=sorted(
            [*skipped, *filtered, *repeats, *damaged, *lacking, *source.left_out],
            key=lambda row: (str(row[0]), row[1]),
        ),
        reader=reader,
        cluster_kind=cluster_kind(tables[0].groups[0].entries, options.metric, reader) if tables else None,
        machines=machines,
        notes=notes,
        edited=_edited([entry.run for entry in examined], options.metric),
        num_examined=len(examined),
        source=source,
    )


def _edited(runs: Sequence[RunFiles], metric: str) -> dict[str, list[Path]]:
    """The files behind a comparison that are not those that their runs wrote, with the runs of each."""
    found: dict[str, list[Path]] = {}
    for run in runs:
        for name in edited_files(run.path, run.run, run.summary, (CONFIG, SCORES, number_of(metric).table)):
            found.setdefault(name, []).append(run.path)
    return found


def _check_by(options: Options, runs: Sequence[RunFiles]) -> None:
    """Refuse to group by a key what has no config."""
    if options.by is not None and (others := [run for run in runs if run.program is not None]):
        raise ConfigError(
            f"--by {options.by}: {others[0].shown_name} is {others[0].program}, which has no config; leave it out, or "
            "leave out --by"
        )


def _with_whole_key(options: Options, runs: Sequence[RunFiles]) -> Options:
    """The options with the whole key that `--by` means."""
    if options.by is None or not runs:
        return options
    several = [settings_of(run) for run in runs]
    by = meant(f"--by {options.by}", options.by, several)
    if all(values.get(by) is None for values in several):
        raise ConfigError(f"--by {options.by}: no run has this key, or only null; give a key such as optimizer.lr")
    return replace(options, by=by)


def examine_all(
    runs: Sequence[RunFiles], reader: ScoreReader
) -> tuple[list[Entry], list[tuple[Sequence[Path], str]], list[tuple[Path, str]]]:
    """The runs as a comparison sees them; those that must not be compared, and damaged ones, with the reason."""
    entries: list[Entry] = []
    refused: list[tuple[Sequence[Path], str]] = []
    damaged: list[tuple[Path, str]] = []
    for run in runs:
        try:
            entries.append(examine(run, reader))
        except NotComparableError as refusal:
            refused.append(((run.path,), str(refusal)))
        except (QaexpError, OSError) as error:
            damaged.append((run.path, without_path(str(error), run.path)))
    return entries, refused, damaged


def observations(entries: Sequence[Entry], neutral: frozenset[str]) -> tuple[list[Entry], list[tuple[Path, str]]]:
    """The runs that are observations of their own, and the repeats of the same settings and seeds with the reason."""
    runs, repeats = observed([entry.run for entry in entries], neutral)
    kept = {id(run) for run in runs}
    return [entry for entry in entries if id(entry.run) in kept], repeats


def _table(
    entries: Sequence[Entry],
    reason: str | None,
    reader: ScoreReader,
    machines: Machines,
    options: Options,
    *,
    start: int,
    taken: Collection[str],
) -> Table:
    formed = form_groups(entries, reader, options.neutral, by=options.by, taken=taken)
    groups = numbered(ranked(formed, options.metric), start=start)
    if len(groups) < 2:
        return Table(groups, [], None, reason, _ranks(groups, [], options))
    having_it = [group for group in groups if options.metric in group.metrics]
    baseline, why = nearest(having_it or groups, options.defaults)
    if options.baseline is not None:
        # Every table needs a baseline; whether the words name a group of any table is checked afterwards.
        with suppress(ConfigError):
            baseline, why = chosen(groups, options.baseline), "as asked for"
    if having_it and baseline not in having_it:
        raise ConfigError(
            f"--baseline {options.baseline}: no run of {baseline.name} has a {options.metric} that counts"
        )
    unit = units(cluster_kind(entries, options.metric, reader))
    found = contrasts(
        groups,
        reader,
        baseline,
        options.metric,
        relevant=options.relevant,
        unit=unit,
        machines=machines,
        looks=EarlierLooks(entries).of,
        are_seeds=options.by in SEED_KEYS,
        any_look=options.any_look,
    )
    shown = ranked(groups, options.sort) if options.sort else groups
    return Table(shown, found, baseline.name, reason, _ranks(groups, found, options), why, unit)


def _ranks(groups: Sequence[Group], found: Sequence[Contrast], options: Options) -> dict[str, Rank | None]:
    """The places of groups; seeds have none."""
    return ranks([] if options.by in SEED_KEYS else groups, found, options.metric) or dict.fromkeys(
        group.name for group in groups
    )


def cluster_kind(entries: Sequence[Entry], metric: str, reader: ScoreReader) -> str:
    """What a cluster of the metric's questions is; of the dev questions if the metric has none of its own."""
    entry = next((one for one in entries if metric in one.metrics), None)
    has_own = entry is not None and reader.measured(entry.run, metric) is not None
    table = number_of(metric).table if has_own else SCORES
    return reader.read((entry or entries[0]).run, table).questions.cluster_kind


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
    """Names of the runs: what sets each apart, seeds included; if nothing does, its folder."""
    others = {entry.run.path: entry.run.shown_name for entry in entries if entry.run.program is not None}
    return others | _names_of_runs([entry.run for entry in entries if entry.run.program is None], neutral)


def _names_of_runs(runs: Sequence[RunFiles], neutral: frozenset[str]) -> dict[Path, str]:
    changes = [
        {key: changed[key] for key in sorted(changed, key=_is_seed) if not _follows(key, changed[key], changed)}
        for changed in differing([settings(run, neutral, with_seeds=True) for run in runs])
    ]
    if not any(changes):
        return {run.path: run.path.resolve().name for run in runs}
    own = own_names([[run] for run in runs])
    found = zip(runs, own, setting_names(runs, changes), strict=True)
    return {run.path: mine or name for run, mine, name in found}


def _is_seed(key: str) -> bool:
    return key in SEED_KEYS


def _follows(key: str, value: Any, changed: Mapping[str, Any]) -> bool:
    """Whether this is one of `seeds.*` with the same value as `seed`."""
    return key.startswith("seeds.") and changed.get("seed") == value
