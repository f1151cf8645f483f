"""Tests and verdicts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from qaexp.comparison import contrasts, family, group_tests, score_tests, scores, verdict
from qaexp.comparison.statistics import paired, spread
from qaexp.runs import score_intervals
from tests.fixtures.patching import Patch, everywhere
from tests.relations.broken.registry import noticed_by


@noticed_by("more_groups")
def holm_dropped(patch: Patch) -> None:
    patch(family, "holm", list)


@noticed_by("seeds")
def one_seed_tested(patch: Patch) -> None:
    original = group_tests.compare_sides

    def compare_sides(*words: Any, **more: Any) -> group_tests.GroupTest:
        found = original(*words, **more)
        return replace(found, reason=None) if found.kind == group_tests.ONE_SEED else found

    patch(score_tests, "compare_sides", compare_sides)


@noticed_by("questions_and_clusters")
def few_clusters_allowed(patch: Patch) -> None:
    patch(group_tests, "MIN_CLUSTERS", 2)
    patch(score_intervals, "MIN_CLUSTERS", 2)


@noticed_by("questions_and_clusters")
def questions_independent(patch: Patch) -> None:
    patch(scores, "clusters", lambda titles, paragraphs: (tuple(map(str, range(len(titles)))), "paragraph"))


@noticed_by("questions_and_clusters")
def articles_always(patch: Patch) -> None:
    patch(scores, "clusters", lambda titles, paragraphs: (tuple(titles), "title"))


@noticed_by("seeds", "questions_and_clusters")
def seeds_ignored_by_tests(patch: Patch) -> None:
    patch(spread, "_seed_part", lambda *_: ((0.0, 9.0), 0.0))


@noticed_by("questions_and_clusters")
def questions_ignored_by_tests(patch: Patch) -> None:
    original = spread.cluster_part
    patch(paired, "cluster_part", lambda *words: (original(*words)[0] * 1e-6, original(*words)[1]))


@noticed_by("questions_and_clusters")
def paired_by_place(patch: Patch) -> None:
    original = scores.sorted_questions
    patch(scores, "sorted_questions", lambda columns: (original(columns)[0], np.arange(len(columns["id"]))))


@noticed_by("consistency")
def mcnemar_judges(patch: Patch) -> None:
    original = family._with_p

    def with_p(one: Any, p: float, p_holm: float, p_verdict: float, **more: Any) -> Any:
        found = original(one, p, p_holm, p_verdict, **more)
        return replace(found, p_verdict=p_holm) if one.mcnemar else found

    patch(family, "_with_p", with_p)


@noticed_by("more_groups")
def pool_narrows(patch: Patch) -> None:
    original = spread._seed_part

    def part(table: Any, clusters: Any, pooled: Any) -> Any:
        (between, df), both = original(table, clusters, None)
        return ((between, df) if pooled is None else (pooled[0] / len(table), pooled[1])), both

    patch(spread, "_seed_part", part)


@noticed_by("more_groups")
def pool_holds_collapsed(patch: Patch) -> None:
    original, pool = contrasts.contrasts, score_tests.PooledSeeds

    def found(several: Any, *words: Any, **more: Any) -> Any:
        means = [(group.design, score_tests.means(group, scores.SCORE_COLUMNS)) for group in several]
        patch(score_tests, "PooledSeeds", lambda _: pool(means))
        return original(several, *words, **more)

    everywhere(patch, original, found)


@noticed_by("nothing_to_learn")
def double_judged_by_others(patch: Patch) -> None:
    patch(group_tests, "np", SimpleNamespace(**{**vars(np), "array_equal": lambda *_: False}))


@noticed_by("reproducible", "swapped_sides")
def bootstrap_unseeded(patch: Patch) -> None:
    original = group_tests.cluster_bootstrap
    patch(group_tests, "cluster_bootstrap", lambda one, two, _: original(one, two, np.random.default_rng()))


@noticed_by("swapped_sides", "consistency")
def direction_lost(patch: Patch) -> None:
    original = verdict.judge

    def judge(tested: Any, case: Any) -> tuple[str, str]:
        word, sentence = original(tested, case)
        return ("better", sentence) if word == "worse" else (word, sentence)

    patch(contrasts, "judge", judge)


@noticed_by("seeds")
def never_paired_by_seed(patch: Patch) -> None:
    original = group_tests.kind_of
    words = {group_tests.SAME_SEEDS: group_tests.OTHER_SEEDS}
    everywhere(patch, original, lambda a, b: words.get(original(a, b), original(a, b)))


@noticed_by("questions_and_clusters")
def spread_grows_with_scores(patch: Patch) -> None:
    original = spread.cluster_part

    def part(values: Any, clusters: Any) -> Any:
        variance, df = original(values, clusters)
        return variance * (1 + float(values.mean()) ** 2 / 100), df

    patch(paired, "cluster_part", part)


@noticed_by("swapped_sides", "nothing_to_learn")
def ties_judged(patch: Patch) -> None:
    original = verdict.judge

    def judge(tested: Any, case: Any) -> tuple[str, str]:
        word, sentence = original(tested, case)
        return ("better", sentence) if abs(tested.difference.difference) < 1e-9 else (word, sentence)

    patch(contrasts, "judge", judge)
