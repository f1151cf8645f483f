"""What each figure of a comparison is called, shows and has on its axes: for the page and the PNG files alike."""

from __future__ import annotations

from dataclasses import dataclass

from qaexp.comparison.estimates import MIN_SEEDS
from qaexp.comparison.groups import Group
from qaexp.comparison.result import Comparison, Table
from qaexp.comparison.short_numbers import shorten_numbers
from qaexp.comparison.slices import MIN_QUESTIONS, sliced
from qaexp.runs.metrics import number_of, score_of_sets
from qaexp.runs.number import LOWER, Number
from qaexp.runs.readers.repeats import SEED_KEYS
from qaexp.runs.short_words import shortened

_MAX_NAME = 42


@dataclass(frozen=True, slots=True)
class Caption:
    """The words of a figure.

    Attributes:
        title: Its name.
        text: What its marks mean, without a full stop: one line of a PNG file.
        x: The name of the axis across, the longest one first: the first that fits is shown.
        y: The name of the upright axis; empty where it has names of groups.
    """

    title: str
    text: str
    x: tuple[str, ...] = ()
    y: str = ""


_LINES = "Thick: mean over a group’s seeds; band: lowest to highest seed; thin: runs"
_CURVES = {
    "curves": Caption("Dev f1 by epoch", _LINES, ("epoch",), "dev f1 (%)"),
    "losses": Caption("Training loss by step", _LINES, ("step",), "training loss"),
}


def captions(comparison: Comparison) -> dict[str, Caption]:
    """Return the words of every figure by its id, including those without numbers."""
    number = number_of(comparison.options.metric)
    return {**_of_the_metric(number), **_CURVES, **_of_sets(number.name), **_of_differences(comparison)}


def _of_the_metric(number: Number) -> dict[str, Caption]:
    metric = number.name
    return {
        "intervals": Caption(
            f"{metric} of each group",
            "Diamonds: means; dots: runs; hollow: answers nothing; bars: 95 % over seeds "
            f"(with fewer than {MIN_SEEDS}, over questions)",
            (number.title,),
        ),
        "learning": Caption(
            "Learning curve", "Diamonds: means over seeds; bars: 95 % intervals", ("training examples",), number.title
        ),
        "cost": Caption(
            "Quality against cost",
            "Diamonds: means over seeds; bars: 95 % intervals; filled: no group is better and cheaper (Pareto front)",
            ("train seconds",),
            number.title,
        ),
        "effects": Caption(
            "Main effects",
            "Distance of a value from its key’s mean, in an additive model of all runs that answer; filled: shown",
            (f"effect on {metric} (runs in brackets)", f"effect on {metric}", "effect"),
        ),
        "seeds": Caption(
            "What the seeds explain",
            f"Share of the variance of {metric} inside groups, between the values of each kind of seed (crossed seeds)",
            ("share of the variance (%)", "share (%)"),
        ),
        "parallel": Caption(
            "Every run",
            f"One line for each run through what differs; its colour goes from the lowest {metric} (orange) to the "
            "highest (blue)",
        ),
    }


def _of_sets(metric: str) -> dict[str, Caption]:
    row = number_of(score_of_sets(metric))
    side = "lower" if row.better == LOWER else "higher"
    return {
        "profile": Caption(
            "Performance profile over the evaluation sets",
            f"Share of runs and sets whose {row.name} is above a value; a line that is {side} throughout is better",
            (f"{row.name} of a run on a set{f' ({row.unit})' if row.unit else ''}", row.title),
            "share above it",
        )
    }


def _of_differences(comparison: Comparison) -> dict[str, Caption]:
    pair = comparison.main_pair
    score = sliced(comparison.options.metric, *pair) if pair else "f1"
    table = comparison.tables[0] if comparison.tables else None
    baseline = table.group(table.baseline) if table and table.baseline is not None else None
    other = "the first other" if comparison.options.by in SEED_KEYS else "the best other"
    return {
        "contrasts": Caption(
            f"Difference from {_named(table, baseline)}",
            "Bars: intervals over seeds and clusters, as wide as Holm’s correction requires; filled: better or worse",
            _above(comparison.about, baseline),
        ),
        "slices": Caption(
            "Where they differ",
            f"{score} of {other} group minus the baseline’s, on slices of at least {MIN_QUESTIONS} questions (n in "
            "brackets); bars: as wide as Holm’s correction over all slices requires; filled: significant after it",
            _above(score, pair[0] if pair else None),
        ),
    }


def _above(score: str, baseline: Group | None) -> tuple[str, ...]:
    """What an axis of differences shows, with the letter of the baseline."""
    unit = number_of(score).step
    if baseline is None:
        return (f"{unit} of {score}",)
    above = f"{unit} of {score} above {baseline.letter}"
    return f"{above}, the baseline", above, f"{unit} above {baseline.letter}"


def _named(table: Table | None, baseline: Group | None) -> str:
    if table is None or baseline is None:
        return "the baseline"
    labels = shorten_numbers([group.name for group in table.groups])
    return f"the baseline, {baseline.letter} {shortened(labels[table.groups.index(baseline)], _MAX_NAME)}"
