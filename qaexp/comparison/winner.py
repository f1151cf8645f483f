"""The winner of a table: what to expect of it with new seeds and questions, and whether test questions confirm it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qaexp.comparison.contrasts import Contrast, contrasts
from qaexp.comparison.far_seeds import far_one
from qaexp.comparison.groups import Group
from qaexp.comparison.options import Options
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.statistics.difference import Variance
from qaexp.comparison.statistics.shrinkage import shrunk
from qaexp.runs.metrics import TEST, number_of
from qaexp.runs.readers.repeats import SEED_KEYS

# Of fewer there is no winner among many, but a difference, which is tested.
MIN_SETTINGS = 3
SEEDS_AND_QUESTIONS, QUESTIONS = "seeds and questions", "questions"
_CROSSFIT = "crossfit_"


@dataclass(frozen=True, slots=True, eq=False)
class Winner:
    """The best group of three or more.

    Attributes:
        group: The group.
        mean: Its mean in the metric.
        corrected: What to expect of it: the best of several is too good by chance. None where a seed of any group lies
            far from its siblings: such a spread is no chance that averages out.
        over: What chance is here: `seeds and questions`, or `questions` where the runs say nothing about seeds.
        num_settings: Among how many it is the best.
        confirmed: Against the second best group on the questions of `data.test_file`; None where there are none.
    """

    group: Group
    mean: float
    corrected: float | None
    over: str
    num_settings: int
    confirmed: Contrast | None


def winner_of(comparison: Comparison) -> Winner | None:
    """The winner of the first table; None where seeds are compared, of fewer than three settings, or without tests."""
    options = comparison.options
    if not comparison.tables or options.by in SEED_KEYS:
        return None
    table, metric = comparison.tables[0], options.metric
    able = [group for group in table.by_number if not group.is_collapsed and metric in group.metrics]
    variances = _variances(table, metric)
    if len(able) < MIN_SETTINGS or not variances:
        return None
    # A group's mean varies half as much as the difference of two.
    noise = math.fsum(one.total for one in variances) / len(variances) / 2
    over = SEEDS_AND_QUESTIONS if all(one.seeds for one in variances) else QUESTIONS
    best, second = able[:2]
    means = [group.metrics[metric].mean for group in able]
    mean = best.metrics[metric].mean
    corrected = None if any(_has_far_seed(group, metric) for group in able) else shrunk(mean, means, noise)
    confirmed = _confirmed(best, second, table, comparison, options)
    return Winner(best, mean, corrected, over, len(able), confirmed)


def _has_far_seed(group: Group, metric: str) -> bool:
    values = sorted(entry.metrics[metric] for entry in group.entries if metric in entry.metrics)
    return number_of(metric).unit == "%" and far_one(values) is not None


def _variances(table: Table, metric: str) -> list[Variance]:
    """Those of the differences that are tested in the metric."""
    tested = [one.tests[metric] for one in table.contrasts if one.metric == metric]
    return [one.difference.variance for one in tested if one.p_verdict is not None]


def _confirmed(best: Group, second: Group, table: Table, comparison: Comparison, options: Options) -> Contrast | None:
    """The winner against the second best on test questions, which chose nothing."""
    name = f"{TEST}{options.metric.removeprefix(_CROSSFIT)}"
    if options.metric.startswith(TEST) or any(name not in group.metrics for group in (best, second)):
        return None
    if number_of(name).column is None:
        return None
    (found,) = contrasts(
        [best, second],
        comparison.reader,
        second,
        name,
        relevant=options.relevant,
        unit=table.unit,
        machines=comparison.machines,
        any_look=options.any_look,
    )
    return found if found.metric == name else None
