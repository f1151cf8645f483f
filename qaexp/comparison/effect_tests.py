"""Tests main effects as verdicts are tested: a value of a key, on average over the other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.entries import measured_of
from qaexp.comparison.group_tests import SEED
from qaexp.comparison.groups import Group
from qaexp.comparison.main_effects import Effect, Effects
from qaexp.comparison.observations import Design, design
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.difference import Codes, Difference, Floats, Part
from qaexp.comparison.statistics.paired import cluster_bootstrap, holm, paired_groups
from qaexp.comparison.statistics.spread import Factor, pooled_paired
from qaexp.comparison.verdict import ALPHA
from qaexp.runs.metrics import number_of
from qaexp.runs.score_intervals import MIN_CLUSTERS
from qaexp.runs.short_words import shortened
from qaexp.storage.formats import counted

ABOVE, BELOW, NOT_SHOWN = "above", "below", "not shown"

_ROUNDING = 1e-4
_MAX_NAME = 60
_MAX_NAMED = 3
_MIN_POOLED = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What the test of a main effect gave.

    Attributes:
        low: Lower end of its interval, as wide as the correction requires; None if nothing is tested.
        high: Upper end.
        p: After Holm's correction for all effects.
        verdict: `above` or `below` the mean over the key's values, `not shown`, or None if nothing is tested.
    """

    low: float | None = None
    high: float | None = None
    p: float | None = None
    verdict: str | None = None


def judged(
    effects: Effects, groups: Sequence[Group], metric: str, reader: ScoreReader, *, any_look: bool = True
) -> list[Judged]:
    """Test each effect as the groups are tested, over seeds and clusters of questions.

    That takes a whole grid whose settings all have the same seeds: each seed, and each cluster of questions, then sees
    a value and the mean over the values alike. The two values of a key are one test, seen from both sides.

    Args:
        effects: Of these groups, in this metric.
        groups: Measured alike; those that answer nothing are left out.
        metric: A score of each question, else nothing is tested.
        reader: Reads their scores.
        any_look: Whether the tests hold however often one looks while seeds are added; else for one planned look.

    Returns:
        One for each row of the effects.
    """
    grid = _Grid.of([group for group in groups if not group.is_collapsed and metric in group.metrics], metric, reader)
    found = [None if grid is None else grid.difference(row) for row in effects.rows]
    if not found or any(one is None for one in found):
        return [_untested(row, metric) for row in effects.rows]
    differences = [one.at_any_look() if any_look else one for one in found if one is not None]
    tests = [(row.key, row.value if _num_values(effects, row) > 2 else None) for row in effects.rows]
    p_values = {test: one.p for test, one in zip(tests, differences, strict=True)}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [_judge(one, corrected[test], number_of(metric).width) for test, one in zip(tests, differences, strict=True)]


def _num_values(effects: Effects, row: Effect) -> int:
    return sum(one.key == row.key for one in effects.rows)


def effects_sentence(
    effects: Effects, found: Sequence[Judged], groups: Sequence[Group], metric: str, names: Sequence[str]
) -> str:
    """A sentence about all effects; a mean over settings says nothing about a single one.

    Args:
        effects: The effects.
        found: Of `judged`.
        groups: The groups that they are effects of.
        metric: What they are about.
        names: What each is called.
    """
    if not found:
        return ""
    if number_of(metric).column is None:
        return f"{metric} is not tested: bars are 95 % intervals over seeds alone, and nothing is filled."
    if any(one.verdict is None for one in found):
        return "Nothing is tested and no interval is given: that takes every combination, each with the same seeds."
    shown = [shortened(name, _MAX_NAME) for name, one in zip(names, found, strict=True) if one.verdict != NOT_SHOWN]
    several = len({row.key for row in effects.rows}) > 1
    over = "seeds and clusters of questions"
    if all(len(group.design.seeds) == 1 for group in groups):
        over = "clusters of questions, of these seeds alone"
    bars = f"Bars: intervals over {over}, as wide as the correction for their number requires."
    if not shown:
        return f"{bars} None is shown to differ from 0."
    more = f" and {counted(len(shown) - _MAX_NAMED, 'more effect')}" if len(shown) > _MAX_NAMED else ""
    about = " on average over the other settings, which says nothing about each single one" if several else ""
    return f"{bars} Shown (filled){about}: {', '.join(shown[:_MAX_NAMED])}{more}."


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Groups with the same seeds.

    Attributes:
        groups: The groups.
        scores: By the group's name [observations, questions].
        clusters: The cluster of each question, counted from 0.
        design: Of the observations, which all groups share.
        pooled: What seeds do to the difference of two groups, from all of them; None of fewer than three.
    """

    groups: Sequence[Group]
    scores: Mapping[str, Floats]
    clusters: Codes
    design: Design
    pooled: Part | None

    @classmethod
    def of(cls, groups: Sequence[Group], metric: str, reader: ScoreReader) -> _Grid | None:
        """The grid; None where seeds differ, a design has holes, or the metric is not a score of each question."""
        if len(groups) < 2 or number_of(metric).column is None or any(group.design.problem for group in groups):
            return None
        seeds = groups[0].design.seeds
        if any(group.design.seeds != seeds for group in groups):
            return None
        measured = [[measured_of(entry, metric, reader) for entry in group.entries] for group in groups]
        kept = [one for several in measured for one in several if one is not None]
        if len(kept) < sum(map(len, measured)) or len({one.digest for one in kept}) > 1:
            return None
        if int(kept[0].clusters.max()) + 1 < MIN_CLUSTERS:
            return None
        scores = {
            group.name: group.design.observations(np.stack([one.values for one in several if one is not None]))
            for group, several in zip(groups, measured, strict=True)
        }
        shared = design(seeds)
        means = np.stack([values.mean(axis=1) for values in scores.values()])
        is_pooled = len(groups) >= _MIN_POOLED and len(seeds) > 1 and not shared.is_crossed
        return cls(groups, scores, kept[0].clusters, shared, pooled_paired(means) if is_pooled else None)

    def difference(self, row: Effect) -> Difference | None:
        """A value minus the mean over the key's values; None if the grid has holes: no difference of means."""
        keys = row.key.split(" + ")
        parts: dict[str, list[Floats]] = {}
        for group in self.groups:
            value = " ".join(str(group.changes.get(key)) for key in keys)
            parts.setdefault(value, []).append(self.scores[group.name])
        if row.value not in parts or len({len(part) for part in parts.values()}) > 1:
            return None
        levels = {value: np.mean(part, axis=0) for value, part in parts.items()}
        whole = np.mean(list(levels.values()), axis=0)
        own = levels[row.value]
        if abs(float(own.mean() - whole.mean()) - row.effect) > _ROUNDING:
            return None
        return self._tested(whole, own, (len(levels) - 1) / (2 * len(self.groups)))

    def _tested(self, whole: Floats, own: Floats, share: float) -> Difference:
        if len(whole) == 1:
            return cluster_bootstrap(own[0] - whole[0], self.clusters, np.random.default_rng(SEED))
        # Means over groups vary less than the difference of two of them.
        pooled = None if self.pooled is None else (self.pooled[0] * share, self.pooled[1])
        factors = tuple(Factor(codes, pooled) for codes in self.design.factors)
        return paired_groups(whole, own, self.clusters, factors=factors)


def _judge(found: Difference, p: float, width: float) -> Judged:
    low, high = found.interval(ALPHA * found.p / p if p > 0 else ALPHA)
    is_shown = p <= ALPHA and found.difference != 0
    verdict = NOT_SHOWN if not is_shown else ABOVE if found.difference > 0 else BELOW
    if not np.isfinite(low) or found.standard_error == 0:
        return Judged(p=p, verdict=verdict)
    return Judged(max(low, -width), min(high, width), p, verdict)


def _untested(row: Effect, metric: str) -> Judged:
    """Of a number that is not tested the interval of the model stays; a score's would contradict its verdicts."""
    return Judged(row.low, row.high) if number_of(metric).column is None else Judged()
