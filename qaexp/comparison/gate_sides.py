"""The two sides of a gate: whole, completed runs of one setting each, all measured alike, or an error that says why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qaexp.comparison.compare import examine_all, observations
from qaexp.comparison.entries import Entry
from qaexp.comparison.group_forming import form_groups
from qaexp.comparison.groups import Group, numbered
from qaexp.comparison.guard import blocks
from qaexp.comparison.options import Options, with_metric
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import COPY, collected, where
from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.directory import CONFIG, SCORES, TEST_SCORES
from qaexp.runs.readers.recognised import recognised
from qaexp.runs.trust import edited_files
from qaexp.storage.formats import counted

NEW, BASE = "NEW", "--against"
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """What a gate judges.

    Attributes:
        entries: The runs of both sides.
        base: The group of runs that are held against.
        new: The group of runs that are judged; its name differs from that of `base`.
        options: What was asked for, with the metric that is judged.
        notes: What a reader must know about the metric.
    """

    entries: Sequence[Entry]
    base: Group
    new: Group
    options: Options
    notes: Sequence[str]


def read_sides(new: Sequence[str | Path], base: Sequence[str | Path], options: Options, reader: ScoreReader) -> Sides:
    """Read both sides; each is formed on its own, so that the same config may stand on both: the code has changed then.

    Args:
        new: The runs to be judged: run directories, sweeps, folders of them or patterns; one setting, any seeds.
        base: The runs that they are held against.
        options: The metric and conditions on the runs of both sides.
        reader: Reads scores, and keeps them.

    Raises:
        ConfigError: A path does not exist, a side holds no run or several settings, or both sides hold the same run.
        IntegrityError: Something that was given is not a completed, whole run, lacks the metric, or the sides were
            measured differently.
    """
    sides = _whole_sides({NEW: new, BASE: base}, options, reader)
    entries = [entry for side in sides.values() for entry in side]
    _check_apart(sides)
    options, notes = with_metric(options, entries)
    _check_metric(sides, options.metric)
    _check_measured_alike(entries)
    groups = _told_apart(*(_only_group(name, sides[name], reader, options) for name in (BASE, NEW)))
    first, second = numbered(groups, start=1)
    return Sides(entries, first, second, options, notes)


def _whole_sides(
    given: dict[str, Sequence[str | Path]], options: Options, reader: ScoreReader
) -> dict[str, Sequence[Entry]]:
    """The runs of each side; whatever is not a whole, completed run is refused: leaving it out may decide a verdict."""
    sides: dict[str, Sequence[Entry]] = {}
    problems = []
    for name, paths in given.items():
        runs, skipped = collected(paths)
        runs, _ = where(recognised(runs), options.where)
        entries, refused, damaged = examine_all(runs, reader)
        lost = [(path, reason) for path, reason in skipped if not reason.startswith(COPY)]
        lost += [*damaged, *((path, reason) for paths, reason in refused for path in paths)]
        problems += [f"{name}: {path}: {reason}" for path, reason in lost]
        problems += [f"{name}: {problem}" for entry in entries for problem in _edited(entry)]
        sides[name] = observations(entries, options.neutral)[0]
    if problems:
        raise IntegrityError(*problems, "a gate judges all runs that are given, or none: bring them back or leave them")
    for name, side in sides.items():
        if not side:
            raise ConfigError(f"{name}: holds no completed run; give a run directory, a sweep or several runs")
    return sides


def _edited(entry: Entry) -> list[str]:
    """The files behind a verdict that are not those that the run wrote."""
    run = entry.run
    names = edited_files(run.path, run.run, run.summary, (CONFIG, SCORES, TEST_SCORES))
    return [
        f"{run.path / name}: is not the one that was written: qaexp verify {shlex.quote(str(run.path))} tells more"
        for name in names
    ]


def _check_apart(sides: dict[str, Sequence[Entry]]) -> None:
    places = [{entry.run.path.resolve() for entry in side} for side in sides.values()]
    if shared := sorted(places[0] & places[1]):
        raise ConfigError(f"{shared[0]}: is on both sides; give the runs before the change after {BASE}")


def _check_metric(sides: dict[str, Sequence[Entry]], metric: str) -> None:
    problems = [
        f"{name}: {entry.run.path}: {entry.lack(metric)}"
        for name, side in sides.items()
        for entry in side
        if metric not in entry.metrics
    ]
    if problems:
        raise IntegrityError(*problems)


def _check_measured_alike(entries: Sequence[Entry]) -> None:
    parts = blocks(entries)
    if len(parts) > 1:
        reasons = "; ".join(part.reason for part in parts if part.reason)
        raise IntegrityError(f"the runs were measured differently, so there is no verdict: {reasons}")


def _only_group(name: str, side: Sequence[Entry], reader: ScoreReader, options: Options) -> Group:
    groups = form_groups(side, reader, options.neutral)
    if len(groups) > 1:
        names = ", ".join(group.name for group in groups[:_MAX_NAMED])
        more = ", ..." if len(groups) > _MAX_NAMED else ""
        raise ConfigError(
            f"{name}: holds {counted(len(groups), 'setting')} ({names}{more}), and a gate judges one; give the runs "
            "of one, or choose with --where"
        )
    return groups[0]


def _told_apart(base: Group, new: Group) -> list[Group]:
    """The two groups under different names, by which tests know them: sides of one config have the same."""
    if base.name != new.name:
        return [base, new]
    return [replace(base, name=f"{base.name} (base)"), replace(new, name=f"{new.name} (new)")]
