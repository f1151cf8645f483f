"""How small a difference would show, and where intervals end."""

from __future__ import annotations

from typing import Any

import numpy as np

from qaexp.comparison import estimates, family, verdict
from qaexp.comparison.statistics import power
from qaexp.comparison.statistics.difference import Variance
from qaexp.runs.number import Number
from tests.fixtures.patching import Patch, everywhere
from tests.relations.broken.registry import noticed_by


@noticed_by("more_groups")
def detectable_without_correction(patch: Patch) -> None:
    patch(family, "minimum_detectable", lambda found, **_: power.minimum_detectable(found))


@noticed_by("consistency")
def detectable_halved(patch: Patch) -> None:
    original = power.minimum_detectable
    everywhere(patch, original, lambda *words, **more: (original(*words, **more) or 0) / 2 or None)


@noticed_by("nothing_to_learn")
def detectable_without_spread(patch: Patch) -> None:
    patch(power, "_can_tell", lambda found: True)


@noticed_by("nothing_to_learn", "consistency")
def no_difference_without_power(patch: Patch) -> None:
    original = verdict._tested

    def tested(*words: Any) -> tuple[str, str]:
        word, sentence = original(*words)
        return (verdict.EQUIVALENT if word == verdict.CANNOT_TELL else word), sentence

    patch(verdict, "_tested", tested)


@noticed_by("consistency")
def interval_uncorrected(patch: Patch) -> None:
    original = family._ends
    patch(family, "_ends", lambda one, alpha: original(one, 0.05))


@noticed_by("consistency")
def difference_not_cut(patch: Patch) -> None:
    patch(family, "_ends", lambda one, alpha: one.found.difference.interval(alpha))


@noticed_by("consistency")
def estimate_not_cut(patch: Patch) -> None:
    patch(Number, "clipped", lambda self, value: value)


@noticed_by("consistency")
def estimate_cut_everywhere(patch: Patch) -> None:
    patch(Number, "clipped", lambda self, value: min(max(value, 0.0), 100.0))


@noticed_by("seeds")
def two_seeds_as_three(patch: Patch) -> None:
    patch(estimates, "MIN_SEEDS", 2)


@noticed_by("seeds")
def crossed_estimate_by_runs(patch: Patch) -> None:
    def half(values: Any, found: Any) -> tuple[float | None, str | None]:
        if not found.is_crossed:
            return original(values, found)
        return estimates.quantile(len(values) - 1, 0.975) * float(np.std(values, ddof=1)) / len(values) ** 0.5, None

    original = estimates._half_width
    patch(estimates, "_half_width", half)


@noticed_by("seeds")
def crossed_df_added(patch: Patch) -> None:
    original = Variance.__init__
    patch(Variance, "__init__", lambda self, seeds, clusters, both=(), _=False: original(self, seeds, clusters, both))


@noticed_by("seeds")
def no_spread_is_certain(patch: Patch) -> None:
    original = estimates._half_width

    def half(values: Any, found: Any) -> tuple[float | None, str | None]:
        width, problem = original(values, found)
        return (0.0, None) if problem and "the same value" in problem else (width, problem)

    patch(estimates, "_half_width", half)
