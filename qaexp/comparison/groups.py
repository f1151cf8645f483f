"""Repeats of one config as one row: their mean, their spread, an interval that says what it is, and their rank."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaexp.comparison.entries import Entry
from qaexp.comparison.scores import SCORE_COLUMNS, ScoreReader
from qaexp.comparison.tests import LEVEL, cluster_t, quantile
from qaexp.errors import ConfigError
from qaexp.runs.groups import differing, gather, named, settings

MIN_SEEDS = 3
"""From so many runs on, the interval of a group is that over its seeds."""

LOWER_IS_BETTER = ("train_loss", "train_seconds", "eval_seconds", "total_seconds", "peak_memory_mib", "padding_share")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of a group.

    Attributes:
        mean: Over the runs that have it.
        sd: Between them; None for one.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end.
        n: How many runs have it.
        over: What the interval speaks about: `seeds` (t, n >= 3), or `questions` of these very runs only.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int
    over: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Runs that are equal up to their seeds.

    Attributes:
        name: What sets it apart from the other groups.
        changes: The same, by dotted key.
        settings: All its keys but the seeds.
        entries: Its runs, by their seeds.
        metrics: Name to `Estimate`.
        flags: Health flag to how many runs raised it.
    """

    name: str
    changes: Mapping[str, Any]
    settings: Mapping[str, Any]
    entries: Sequence[Entry]
    metrics: Mapping[str, Estimate]
    flags: Mapping[str, int]

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.entries)

    @property
    def is_collapsed(self) -> bool:
        """One of its runs answers nothing."""
        return any(entry.is_collapsed for entry in self.entries)

    @property
    def seeds(self) -> tuple[tuple[Any, ...], ...]:
        """The seeds of its runs."""
        return tuple(entry.seeds for entry in self.entries)


def form_groups(
    entries: Sequence[Entry], reader: ScoreReader, neutral: frozenset[str], *, by: str | None = None
) -> list[Group]:
    """Group runs over their seeds, or by the value of one key alone.

    Args:
        entries: Runs that were measured alike.
        reader: Reads the scores of small groups again, for their interval.
        neutral: Dotted keys that cannot change results.
        by: A dotted key of the config; runs with the same value of it are one group, whatever else differs.

    Raises:
        ConfigError: No run has the key.
    """
    of_run = {id(entry.run): entry for entry in entries}
    gathered = [[of_run[id(run)] for run in runs] for runs in _gathered([entry.run for entry in entries], neutral, by)]
    all_settings = [settings(group[0].run, neutral) for group in gathered]
    if by is not None:
        all_settings = [{by: leaves.get(by)} for leaves in all_settings]
    changes = differing(all_settings)
    return [
        Group(
            name=named(changed),
            changes=changed,
            settings=leaves,
            entries=tuple(sorted(group, key=lambda entry: (repr(entry.seeds), entry.run.run_id))),
            metrics=_estimates(group, reader),
            flags=_counted(group),
        )
        for group, leaves, changed in zip(gathered, all_settings, changes, strict=True)
    ]


def ranked(groups: Sequence[Group], metric: str) -> list[Group]:
    """The best group first; collapsed ones after all others, and those without the metric last.

    Ties, and everything else about the order, follow from the names alone.
    """
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0

    def place(group: Group) -> tuple[bool, bool, float, str]:
        found = group.metrics.get(metric)
        # Rounded, so that sums in another order cannot swap groups that are alike.
        value = round(found.mean, 9) if found else math.inf
        return found is None, group.is_collapsed, sign * value if found else 0.0, group.name

    return sorted(groups, key=place)


def nearest(groups: Sequence[Group], defaults: Mapping[str, Any]) -> Group:
    """The group with the fewest keys that differ from some defaults; of several the first by name."""

    def distance(group: Group) -> int:
        return sum(key in group.settings and repr(group.settings[key]) != repr(defaults[key]) for key in defaults)

    return min(groups, key=lambda group: (distance(group), group.name))


def chosen(groups: Sequence[Group], words: str) -> Group:
    """The group that a user means: its name, a part of it that no other has, or a run's id, folder name or path.

    Raises:
        ConfigError: None is meant, or several are.
    """
    exact = [group for group in groups if group.name == words]
    of_run = [
        group
        for group in groups
        if any(words.rstrip("/") in (e.run.run_id, e.run.path.name, str(e.run.path)) for e in group.entries)
    ]
    part = [group for group in groups if words and words in group.name]
    for found in (exact, of_run, part):
        if len(found) == 1:
            return found[0]
    names = ", ".join(repr(group.name) for group in groups[:10])
    count = "no" if not part else f"{len(part)}"
    raise ConfigError(f"--baseline {words!r} names {count} group{'s' if len(part) > 1 else ''}; give one of {names}")


def _gathered(runs: Sequence[Any], neutral: frozenset[str], by: str | None) -> list[list[Any]]:
    if by is None:
        return gather(runs, neutral)
    found: dict[str, list[Any]] = {}
    for run in runs:
        found.setdefault(repr(settings(run, neutral, with_seeds=True).get(by)), []).append(run)
    if list(found) == ["None"]:
        raise ConfigError(f"--by {by}: no run has this key, or only null; give a dotted key such as optimizer.lr")
    return list(found.values())


def _estimates(group: Sequence[Entry], reader: ScoreReader) -> dict[str, Estimate]:
    names = dict.fromkeys(name for entry in group for name in entry.metrics)
    return {name: _estimate(group, name, reader) for name in names}


def _estimate(group: Sequence[Entry], name: str, reader: ScoreReader) -> Estimate:
    values = [entry.metrics[name] for entry in group if name in entry.metrics]
    # fsum: the same bits in any order.
    mean = math.fsum(values) / len(values)
    sd = statistics.stdev(sorted(values)) if len(values) > 1 else None
    if sd is not None and len(values) >= MIN_SEEDS:
        half = quantile(len(values) - 1, (1 + LEVEL) / 2) * sd / math.sqrt(len(values))
        return Estimate(mean, sd, mean - half, mean + half, len(values), "seeds")
    low, high = _question_interval(group, name, reader)
    return Estimate(mean, sd, low, high, len(values), None if low is None else "questions")


def _question_interval(group: Sequence[Entry], name: str, reader: ScoreReader) -> tuple[float | None, float | None]:
    """The interval of a mean over the questions of one or two runs, which says nothing about other seeds."""
    if name not in SCORE_COLUMNS:
        return None, None
    scores = [reader.read(entry.run) for entry in group]
    if any(name not in one.values for one in scores):
        return None, None
    found = cluster_t(np.mean([one.values[name] for one in scores], axis=0), scores[0].questions.clusters)
    return (found.low, found.high) if math.isfinite(found.low) else (None, None)


def _counted(group: Sequence[Entry]) -> dict[str, int]:
    flags = [flag for entry in group for flag in entry.flags]
    return {flag: flags.count(flag) for flag in sorted(set(flags))}
