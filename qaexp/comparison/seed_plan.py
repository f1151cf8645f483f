"""How many seeds a comparison needs to find a difference, from a pilot's runs or from variances that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.comparison.compare import compare
from qaexp.comparison.contrasts import MAX_PAIRS_OF, Contrast
from qaexp.comparison.options import Options
from qaexp.comparison.result import Table, units
from qaexp.comparison.statistics.planning import PlannedTest, Spread, pooled_spread
from qaexp.comparison.verdict import ALPHA
from qaexp.errors import ConfigError
from qaexp.runs.metrics import number_of

SHOWN_SEEDS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)
# Where no number of seeds does, the questions are said that would, with the first of these numbers for which some do.
SEEDS_FOR_QUESTIONS = (10, 20, 30, 50, 100)


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a plan is made from.

    Attributes:
        spread: Where uncertainty comes from.
        metric: The score.
        settings: How many settings are compared.
        questions: How many dev questions there are.
        about: The pilot in words.
        notes: What a reader must know besides.
    """

    spread: Spread
    metric: str
    settings: int
    questions: int
    about: str
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The seeds that a comparison needs.

    Attributes:
        pilot: What it is made from.
        points: The difference to be found.
        test: The test that is planned.
        contrasts: For how many contrasts the test is corrected.
        seeds: Seeds of each setting that find it; None: no number of them up to a hundred does.
        more: So many seeds with so many dev questions would; None where seeds alone do, or where nothing does.
        rows: What is found with other numbers of seeds: the number, and the smallest difference or None.
    """

    pilot: Pilot
    points: float
    test: PlannedTest
    contrasts: int
    seeds: int | None
    more: tuple[int, int] | None
    rows: Sequence[tuple[int, float | None]]


def contrasts_of(settings: int) -> int:
    """How many contrasts a comparison of so many settings has.

    >>> contrasts_of(2), contrasts_of(4), contrasts_of(12)
    (1, 6, 11)
    """
    return settings * (settings - 1) // 2 if settings <= MAX_PAIRS_OF else settings - 1


def plan(pilot: Pilot, points: float, power: float, *, any_look: bool) -> Plan:
    """How many seeds find a difference of `points` with a probability of `power`."""
    contrasts = contrasts_of(pilot.settings)
    test = PlannedTest(1 - ALPHA / contrasts, power, any_look)
    seeds = test.seeds_for(pilot.spread, points)
    shown = [num for num in SHOWN_SEEDS if seeds is None or num <= max(2 * seeds, SHOWN_SEEDS[3])]
    return Plan(
        pilot=pilot,
        points=points,
        test=test,
        contrasts=contrasts,
        seeds=seeds,
        more=_more(pilot, points, test) if seeds is None else None,
        rows=[(num, test.detects(pilot.spread.variance(num))) for num in sorted({*shown, *([seeds] if seeds else [])})],
    )


def _more(pilot: Pilot, points: float, test: PlannedTest) -> tuple[int, int] | None:
    """Seeds of each setting, and questions, that find a difference which seeds alone do not find."""
    for seeds in SEEDS_FOR_QUESTIONS:
        times = test.times_for(pilot.spread, seeds, points)
        if times is not None:
            return seeds, times * pilot.questions
    return None


def pilot_of(paths: Iterable[str | Path], options: Options, settings: int | None) -> Pilot:
    """The pilot that runs are: the mean spread over all pairs of their settings that have several seeds.

    Args:
        paths: Run directories, sweep directories, folders of them, or patterns.
        options: The metric, conditions, the keys that cannot change results.
        settings: How many settings are going to be compared; None: as many as the pilot has.

    Raises:
        ConfigError: There are no two settings with two seeds each, or nothing is tested in the metric.
    """
    if number_of(options.metric).column is None:
        raise ConfigError(f"--metric {options.metric}: it is not tested; give a score such as f1")
    comparison = compare(paths, options)
    if not comparison.tables:
        raise ConfigError("the pilot has no completed run; qaexp status shows what the folders hold")
    table, metric = comparison.tables[0], comparison.about
    usable = [one for one in table.contrasts if _is_usable(one)]
    if not usable:
        reason = next((one.sentence for one in table.contrasts if _has_seeds(one, table)), None)
        if reason is not None:
            raise ConfigError(f"the pilot tells nothing about seeds: {reason}")
        raise ConfigError(
            "the pilot tells nothing about seeds: it takes two settings with two seeds each, and four texts; or give "
            "what is known without runs: qaexp plan-seeds --seed-sd N --question-se N --questions N --texts N"
        )
    num = len({name for one in usable for name in (one.a, one.b)})
    seeds = _seeds(table, usable)
    questions = usable[0].tests[metric].num_questions
    about = f"{num} settings with {seeds} seeds, {questions:,} questions, clusters: {units(comparison.cluster_kind)}"
    spread = pooled_spread([one.tests[metric].difference for one in usable])
    notes = [*comparison.notes, *([comparison.doubt] if comparison.doubt else [])]
    able = sum(not group.is_collapsed for group in table.groups)
    return Pilot(spread, metric, settings or able, questions, about, notes)


def _is_usable(one: Contrast) -> bool:
    tested = one.tests[one.metric]
    variance = tested.difference.variance
    return tested.p is not None and bool(variance.seeds) and not variance.is_crossed and variance.total > 0


def _has_seeds(one: Contrast, table: Table) -> bool:
    """Whether both sides have several seeds, so that another reason leaves them untested."""
    return min(table.group(name).design.n for name in (one.a, one.b)) > 1


def _seeds(table: Table, usable: Sequence[Contrast]) -> str:
    found = sorted({table.group(name).design.n for one in usable for name in (one.a, one.b)})
    return f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"
