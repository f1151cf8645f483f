"""Tests, their power and their intervals."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from qaexp.comparison import (
    contrasts,
    estimates,
    family,
    power,
    scores,
    sides,
    tests,
    verdict,
)
from qaexp.comparison.difference import Variance
from qaexp.runs.metrics import Number
from tests.relations.broken.registry import Patch, everywhere, noticed_by


@noticed_by("more_groups")
def holm_dropped(patch: Patch) -> None:
    patch(family, "holm", list)


@noticed_by("seeds")
def one_seed_tested(patch: Patch) -> None:
    original = sides.compared

    def compared(*words: Any, **more: Any) -> sides.Found:
        found = original(*words, **more)
        return replace(found, reason=None) if found.kind == sides.ONE_SEED else found

    patch(contrasts, "compared", compared)


@noticed_by("questions_and_clusters")
def few_clusters_allowed(patch: Patch) -> None:
    patch(sides, "MIN_CLUSTERS", 2)
    patch(estimates, "MIN_CLUSTERS", 2)


@noticed_by("questions_and_clusters")
def questions_independent(patch: Patch) -> None:
    patch(scores, "clusters", lambda titles, paragraphs: (tuple(map(str, range(len(titles)))), "paragraph"))


@noticed_by("questions_and_clusters")
def articles_always(patch: Patch) -> None:
    patch(scores, "clusters", lambda titles, paragraphs: (tuple(titles), "title"))


@noticed_by("seeds", "questions_and_clusters")
def seeds_ignored_by_tests(patch: Patch) -> None:
    patch(tests, "_seed_part", lambda *_: ((0.0, 9.0), 0.0))


@noticed_by("questions_and_clusters")
def questions_ignored_by_tests(patch: Patch) -> None:
    original = tests._cluster_part
    patch(tests, "_cluster_part", lambda *words: (original(*words)[0] * 1e-6, original(*words)[1]))


@noticed_by("questions_and_clusters")
def paired_by_place(patch: Patch) -> None:
    original = scores._questions
    patch(scores, "_questions", lambda columns: (original(columns)[0], np.arange(len(columns["id"]))))


@noticed_by("consistency")
def mcnemar_judges(patch: Patch) -> None:
    original = family._with_p

    def with_p(one: Any, p: float, p_holm: float, p_verdict: float, **more: Any) -> Any:
        return original(one, p, p_holm, p_holm if one.mcnemar else p_verdict, **more)

    patch(family, "_with_p", with_p)


@noticed_by("more_groups")
def pool_narrows(patch: Patch) -> None:
    original = tests._seed_part

    def part(table: Any, clusters: Any, pooled: Any) -> Any:
        (between, df), both = original(table, clusters, None)
        return ((between, df) if pooled is None else (pooled[0] / len(table), pooled[1])), both

    patch(tests, "_seed_part", part)


@noticed_by("more_groups")
def pool_holds_collapsed(patch: Patch) -> None:
    original, pool = contrasts.contrasts, contrasts.PooledSeeds

    def found(several: Any, *words: Any, **more: Any) -> Any:
        means = [(group.design, contrasts._means(group, scores.SCORE_COLUMNS)) for group in several]
        patch(contrasts, "PooledSeeds", lambda _: pool(means))
        return original(several, *words, **more)

    everywhere(patch, original, found)


@noticed_by("nothing_to_learn")
def double_judged_by_others(patch: Patch) -> None:
    patch(sides, "np", SimpleNamespace(**{**vars(np), "array_equal": lambda *_: False}))


@noticed_by("reproducible", "swapped_sides")
def bootstrap_unseeded(patch: Patch) -> None:
    original = sides.cluster_bootstrap
    patch(sides, "cluster_bootstrap", lambda one, two, _: original(one, two, np.random.default_rng()))


@noticed_by("swapped_sides", "consistency")
def direction_lost(patch: Patch) -> None:
    original = verdict.judge

    def judge(tested: Any, case: Any) -> tuple[str, str]:
        word, sentence = original(tested, case)
        return ("better", sentence) if word == "worse" else (word, sentence)

    patch(contrasts, "judge", judge)


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
        return (verdict.NOT_SHOWN if word == verdict.CANNOT_TELL else word), sentence

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
