"""The evaluation sets of a table: which of them all runs were measured on alike, and what groups reach over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.entries import Entry, measured_of
from qaexp.comparison.estimates import MIN_SEEDS
from qaexp.comparison.groups import Group
from qaexp.comparison.observations import Design
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.difference import Codes, Floats
from qaexp.comparison.statistics.over_sets import (
    interquartile_mean,
    iqm_interval,
    probability_interval,
    probability_of_improvement,
    profile,
)
from qaexp.runs.metrics import NUMBERS, TEST, number_of, of_a_set, score_of_sets, sets_of
from qaexp.runs.number import LOWER
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.storage.evaluation_sets import table_of
from qaexp.storage.formats import counted

FEW_SEEDS = f"fewer than {MIN_SEEDS} seeds"
ALIKE = "all seeds gave the same value"


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval over seeds, on these very sets.

    Attributes:
        value: The number.
        low: Lower end; None where there is no interval.
        high: Upper end.
        problem: Why there is none.
    """

    value: float
    low: float | None = None
    high: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GroupOverSets:
    """What a group reaches.

    Attributes:
        group: The group.
        means: The mean over its runs on each set with a column; None where a run was not asked the same.
        scores: Of each observation on each set that counts [observations, sets]; none where there is no `iqm`.
        iqm: The interquartile mean; None where a run of the group answers nothing, or was not measured on the sets.
        profile: Scores with the share of runs and sets above them; empty where there is no `iqm`.
    """

    group: Group
    means: Mapping[str, float | None]
    scores: Floats
    iqm: Interval | None
    profile: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """The probability that a run of group b is better than one of group a on the same set, the mean over the sets."""

    a: str
    b: str
    improvement: Interval


@dataclass(frozen=True, slots=True, eq=False)
class OverSets:
    """The evaluation sets of a table.

    Attributes:
        score: What is compared on each set, such as `f1`.
        names: The sets with a column: all that some run has, but those whose questions differ.
        counted: Those of them that the aggregates are over.
        left_out: Why each other set is not among them.
        groups: In the order of the table.
        pairs: The contrasts of the table.
    """

    score: str
    names: Sequence[str]
    counted: Sequence[str]
    left_out: Mapping[str, str]
    groups: Sequence[GroupOverSets]
    pairs: Sequence[Pair]

    def number(self, name: str) -> str:
        """What summary.json calls the score on a set."""
        return f"{TEST}{name}_{self.score}"


def each_over_sets(comparison: Comparison) -> list[tuple[Table, OverSets]]:
    """The tables of a comparison whose runs have evaluation sets, with what they reach on them."""
    found = (
        (table, over_sets(table, comparison.options.metric, comparison.reader, by=comparison.options.by))
        for table in comparison.tables
    )
    return [(table, sets) for table, sets in found if sets is not None]


def over_sets(table: Table, metric: str, reader: ScoreReader, *, by: str | None = None) -> OverSets | None:
    """What the groups of a table reach over their evaluation sets; None where no run has any.

    Args:
        table: Groups that were measured alike on the dev questions.
        metric: What they are ranked by; the sets are compared by the same score.
        reader: Reads their scores.
        by: What groups are formed by, if not by all settings but the seeds.
    """
    score = score_of_sets(metric)
    asked = [entry for group in table.groups if _has_sets(group) for entry in group.entries]
    names = sorted(sets_of(name for entry in asked for name in (*entry.metrics, *entry.faults)))
    if not names:
        return None
    # Groups that answer nothing have no part in the aggregates, so they leave no set out of them.
    able = [entry for group in table.groups if _has_sets(group) and not group.is_collapsed for entry in group.entries]
    each = {name: _Asked(name, score, able or asked, reader) for name in names}
    columns = [name for name in names if each[name].differs is None]
    left_out = {name: why for name in names if (why := each[name].differs or each[name].lacks)}
    among = [name for name in columns if name not in left_out]
    groups = [_group(group, {name: each[name] for name in columns}, among, score) for group in table.groups]
    return OverSets(
        score=score,
        names=columns,
        counted=among,
        left_out=left_out,
        groups=groups,
        pairs=[] if by in SEED_KEYS else _pairs(table, groups, number_of(score).better == LOWER),
    )


def _has_sets(group: Group) -> bool:
    """Whether a run of it was measured on any set; a group without one says nothing about those of others."""
    return any(of_a_set(name) for entry in group.entries for name in (*entry.metrics, *entry.faults))


class _Asked:
    """A set as some runs were asked it.

    Attributes:
        differs: Why it is not the same in all runs that have it; None where it is.
        lacks: Why it is not known of all runs; None where it is.
    """

    def __init__(self, name: str, score: str, entries: Sequence[Entry], reader: ScoreReader) -> None:
        """Take the runs whose questions are the set's."""
        self._number, self._reader = f"{TEST}{name}_{score}", reader
        having = [entry for entry in entries if self._number in entry.metrics]
        digests = Counter(digest for entry in having if (digest := self._digest(entry)) is not None)
        self._usual = min(digests, key=lambda digest: (-digests[digest], digest), default=None)
        without = [entry for entry in having if self._digest(entry) is None]
        others = [entry for entry in having if self._digest(entry) not in (None, self._usual)]
        self.differs: str | None = None
        self.lacks: str | None = None
        if without:
            self.differs = f"{_named(without, having)} no {table_of(name)}, so it is unknown what was asked"
        elif others:
            self.differs = f"{_named(others, having)} other questions or gold answers under this name"
        elif len(having) < len(entries):
            self.lacks = self._why_lacking([entry for entry in entries if self._number not in entry.metrics], entries)

    def mean(self, group: Group) -> float | None:
        """The mean of a group; None where a run of it that has the number was not asked these questions."""
        found = group.metrics.get(self._number)
        having = [entry for entry in group.entries if self._number in entry.metrics]
        if found is None or any(self._digest(entry) != self._usual for entry in having):
            return None
        return found.mean

    def _why_lacking(self, lacking: Sequence[Entry], entries: Sequence[Entry]) -> str:
        faults = [entry.faults[self._number] for entry in lacking if self._number in entry.faults]
        why = f": {faults[0]}" if faults else ""
        return f"{_named(lacking, entries)} no {self._number} that counts{why}"

    def _digest(self, entry: Entry) -> str | None:
        measured = measured_of(entry, self._number, self._reader)
        return None if measured is None else measured.digest


def _named(some: Sequence[Entry], among: Sequence[Entry]) -> str:
    """How many runs of how many, and the first of them by name, with their verb."""
    first = min(entry.run.path.name for entry in some)
    has = "has" if len(some) == 1 else "have"
    return f"{len(some)} of {counted(len(among), 'run')} (first: {first}) {has}"


def _group(group: Group, asked: Mapping[str, _Asked], names: Sequence[str], score: str) -> GroupOverSets:
    """A group, with an interquartile mean where its runs answer and were measured on the sets that count."""
    means = {name: one.mean(group) for name, one in asked.items()}
    if not names or group.is_collapsed or not _has_sets(group):
        return GroupOverSets(group, means, np.empty((0, len(names))), None)
    rows = [[entry.metrics[f"{TEST}{name}_{score}"] for name in names] for entry in group.entries]
    scores = group.design.observations(np.array(rows, dtype=np.float64))
    return GroupOverSets(group, means, scores, _iqm(scores, group.design, score), profile(scores))


def _iqm(scores: Floats, design: Design, score: str) -> Interval:
    value, problem = interquartile_mean(scores), _no_interval(design)
    if problem is not None:
        return Interval(value, problem=problem)
    ends = iqm_interval(scores, _seeds(design))
    if ends is None:
        return Interval(value, problem=ALIKE)
    row = NUMBERS[score]
    return Interval(value, row.clipped(ends[0]), row.clipped(ends[1]))


def _no_interval(design: Design) -> str | None:
    """Why a group allows no interval over seeds; None where it does."""
    if design.problem:
        return design.problem
    if design.is_crossed:
        return "crossed seeds"
    return FEW_SEEDS if design.n < MIN_SEEDS else None


def _seeds(design: Design) -> Codes:
    """The seed of each observation; runs nested in one are of that one."""
    return design.factors[0]


def _pairs(table: Table, groups: Sequence[GroupOverSets], is_lower_better: bool) -> list[Pair]:
    sign = -1.0 if is_lower_better else 1.0
    of_name = {one.group.name: one for one in groups if one.iqm is not None}
    found = []
    for contrast in table.contrasts:
        if contrast.a in of_name and contrast.b in of_name:
            a, b = of_name[contrast.a], of_name[contrast.b]
            value = probability_of_improvement(sign * a.scores, sign * b.scores)
            found.append(Pair(contrast.a, contrast.b, _improvement(value, a.group.design, b.group.design)))
    return found


def _improvement(value: float, a: Design, b: Design) -> Interval:
    problem = _no_interval(a) or _no_interval(b)
    return Interval(value, problem=problem) if problem else Interval(value, *probability_interval(value, a.n, b.n))
