"""A metric of a group: its mean, its spread, and an interval over seeds or over questions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qaexp.comparison.entries import Entry
from qaexp.comparison.observations import Design, design
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.statistics.difference import LEVEL, Codes, Floats, Part, quantile
from qaexp.comparison.statistics.paired import cluster_t
from qaexp.comparison.statistics.spread import level_means
from qaexp.runs.metrics import number_of
from qaexp.runs.number import Number
from qaexp.runs.score_intervals import MIN_CLUSTERS, score_interval

# Minimum number of seeds for an interval over seeds.
MIN_SEEDS = 3

SEEDS, QUESTIONS = "seeds", "questions"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of a group.

    Attributes:
        mean: Over the runs that have it.
        sd: Between them; between the observations where other settings are averaged; None for one.
        low: Lower end of the 95 % interval, inside the metric's range; None where there is none.
        high: Upper end.
        n: How many runs have it.
        over: What the interval generalises to: other `seeds`, or, for these very runs, other `questions`.
        problem: Why there is no interval over seeds although several runs have the metric.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int
    over: str | None
    problem: str | None = None


def estimates(group: Sequence[Entry], found: Design, reader: ScoreReader) -> dict[str, Estimate]:
    """Every metric that a run of the group has.

    Args:
        group: The runs, in the order of the design.
        found: Which of them are observations.
        reader: Reads the scores of small groups again, for their interval.
    """
    names = dict.fromkeys(name for entry in group for name in entry.metrics)
    return {name: _estimate(group, found, name, reader) for name in names}


def _estimate(group: Sequence[Entry], found: Design, name: str, reader: ScoreReader) -> Estimate:
    having = [entry for entry in group if name in entry.metrics]
    values = [entry.metrics[name] for entry in having]
    row = number_of(name)
    if len(having) < len(group):
        found = _without_settings(having) if found.num_settings == 1 else _lacking(having, name)
    mean = found.mean(np.array(values))
    sd = _spread(np.array(values), found)
    half, problem = _half_width(np.array(values), found)
    if half is not None:
        return Estimate(mean, sd, row.clipped(mean - half), row.clipped(mean + half), len(values), SEEDS)
    if problem is not None:
        return Estimate(mean, sd, None, None, len(values), None, problem)
    low, high = _question_interval(having, found, row, reader)
    return Estimate(mean, sd, low, high, len(values), None if low is None else QUESTIONS)


def _spread(values: Floats, found: Design) -> float | None:
    is_averaged = found.num_settings > 1 and not found.problem
    numbers = sorted((found.observations(values) if is_averaged else values).tolist())
    return statistics.stdev(numbers) if len(numbers) > 1 else None


def _without_settings(having: Sequence[Entry]) -> Design:
    return design([entry.seeds for entry in having])


def _lacking(having: Sequence[Entry], name: str) -> Design:
    return Design(
        tuple((place,) for place in range(len(having))),
        tuple(entry.seeds for entry in having),
        problem=f"not all runs have {name}",
    )


def _half_width(values: Floats, found: Design) -> tuple[float | None, str | None]:
    """Half the width of the interval over seeds, or why there is none; neither if there are too few seeds."""
    if found.problem:
        return None, found.problem
    if not found.factors or (not found.is_crossed and found.n < MIN_SEEDS):
        return None, None
    observed = found.observations(values)
    parts = [_part(level_means(observed, codes)) for codes in found.factors]
    variance = math.fsum(value for value, _ in parts)
    if variance == 0:
        return None, "all seeds gave the same value: nothing is known of other ones"
    return quantile(min(df for _, df in parts), (1 + LEVEL) / 2) * math.sqrt(variance), None


def _part(means: Floats) -> Part:
    """The variance of the mean over the values of one kind of seed, and its degrees of freedom."""
    return statistics.variance(sorted(means.tolist())) / len(means), len(means) - 1.0


def _question_interval(
    group: Sequence[Entry], found: Design, row: Number, reader: ScoreReader
) -> tuple[float | None, float | None]:
    """The interval of a mean over the questions of one or two runs, which says nothing about other seeds."""
    measured = [reader.measured(entry.run, row.name) for entry in group]
    kept = [one for one in measured if one is not None]
    if len(kept) < len(measured) or len({one.digest for one in kept}) > 1:
        return None, None
    clusters = kept[0].clusters
    means = found.observations(np.stack([one.values for one in kept])).mean(axis=0)
    if row.bounds != (0.0, 100.0):
        return _unbounded(means, clusters, row)
    sizes, sums = np.bincount(clusters).tolist(), np.bincount(clusters, means).tolist()
    return score_interval(zip(sizes, sums, strict=True)) or (None, None)


def _unbounded(values: Floats, clusters: Codes, row: Number) -> tuple[float | None, float | None]:
    """The t interval over clusters, for the mean of numbers that are not percentages, such as `gold_nll`."""
    interval = cluster_t(values, clusters)
    if int(clusters.max()) + 1 < MIN_CLUSTERS or interval.standard_error == 0:
        return None, None
    return row.clipped(interval.low), row.clipped(interval.high)
