"""Questions about one text are one witness; where there are too few texts nothing is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaexp.comparison.compare import Comparison
from qaexp.comparison.slices import slice_differences
from qaexp.comparison.verdict import CANNOT_TELL
from tests.relations.studies import (
    NAMES,
    NUM,
    PER_PARAGRAPH,
    RATES,
    SEEDS,
    Floats,
    NewFolder,
    Plan,
    add,
    answers,
    change_scores,
    compared,
    examples,
    only,
    plans,
)

OBSERVED = st.sampled_from(SEEDS[:4])


@examples(10)
@given(draw=st.integers(0, 999), seeds=OBSERVED, copies=st.integers(2, 3))
def test_asking_every_question_again_in_its_cluster_makes_nothing_surer(
    new_folder: NewFolder, draw: int, seeds: tuple[int, ...], copies: int
) -> None:
    once, often = (only(compared(asked(new_folder(), draw, seeds, number))) for number in (1, copies))
    for name, found in once.tests.items():
        again = often.tests[name]
        assert again.difference.difference == pytest.approx(found.difference.difference)
        assert again.difference.p == pytest.approx(found.difference.p)
        assert again.minimum_detectable == pytest.approx(found.minimum_detectable)
    assert often.verdict == once.verdict


def asked(folder: Path, draw: int, seeds: tuple[int, ...], copies: int) -> Path:
    """Write two groups; every question stands in its paragraph so often, under other ids."""
    paragraphs = np.tile(np.arange(NUM) // PER_PARAGRAPH, copies)
    for place, skill in enumerate((50, 62)):
        for seed in seeds:
            f1 = np.tile(answers(draw, skill, seed, config=place), copies)
            changes = {"optimizer.lr": RATES[place], "seed": seed}
            add(folder, f"{place}-{seed}", f1, changes, paragraphs=paragraphs)
    return folder


@examples(10)
@given(draw=st.integers(0, 999), seeds=OBSERVED, more=st.sampled_from((-15.0, 2.5, 30.0)))
def test_more_points_for_every_question_move_the_difference_and_not_its_width(
    new_folder: NewFolder, draw: int, seeds: tuple[int, ...], more: float
) -> None:
    before, after = (
        only(compared(moved(new_folder(), draw, seeds, points), baseline=NAMES[0])) for points in (0.0, more)
    )
    for name in ("f1", "crossfit_f1"):
        one, two = before.tests[name], after.tests[name]
        assert two.difference.difference - one.difference.difference == pytest.approx(more)
        # The ends that are shown are cut where no score can be.
        widths = [found.high - found.low for found in (one.difference, two.difference)]
        assert widths[0] == pytest.approx(widths[1])
        assert two.minimum_detectable == pytest.approx(one.minimum_detectable)


def moved(folder: Path, draw: int, seeds: tuple[int, ...], points: float) -> Path:
    """Write two groups; the scores of the second one are so many points higher."""
    for place in (0, 1):
        for seed in seeds:
            f1 = 30 + answers(draw, 50, seed, config=place) / 4 + points * place
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed})
    return folder


@examples(8)
@given(plan=plans(groups=(2, 2)), shuffle=st.integers(0, 99))
def test_the_order_of_questions_in_files_changes_nothing(new_folder: NewFolder, plan: Plan, shuffle: int) -> None:
    folder = plan.write(new_folder())
    before = only(compared(folder))
    order = np.random.default_rng(shuffle).permutation(NUM)
    shuffled = new_folder()
    Plan(plan.draw, plan.skills[:1], plan.seeds[:1]).write(shuffled)
    for seed in plan.seeds[1]:
        f1 = answers(plan.draw, plan.skills[1], seed, config=1)
        add(shuffled, f"g1s{seed}", f1, {"optimizer.lr": RATES[1], "seed": seed}, order=order)
    after = only(compared(shuffled))
    assert (after.sentence, after.tests["f1"].p) == (before.sentence, before.tests["f1"].p)
    assert after.tests["exact"].mcnemar == before.tests["exact"].mcnemar


@pytest.mark.parametrize("num_clusters", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seeds", [(0,), (0, 1), (0, 1, 2)])
def test_below_four_clusters_nothing_is_said(new_folder: NewFolder, num_clusters: int, seeds: tuple[int, ...]) -> None:
    found = compared(in_clusters(new_folder(), num_clusters, seeds))
    (contrast,) = found.tables[0].contrasts
    may_speak = num_clusters >= 4
    for test in contrast.tests.values():
        assert (test.p is not None) == may_speak
        # Of four clusters a resample may be one cluster alone: then no difference would be certain.
        assert (test.low is not None) == may_speak or num_clusters == 4
        assert (test.minimum_detectable is not None) == may_speak or num_clusters == 4
        assert test.minimum_detectable is None or np.isfinite(test.minimum_detectable)
    assert may_speak or contrast.verdict == CANNOT_TELL
    assert "inf" not in contrast.sentence
    assert may_speak or f"{num_clusters} paragraph" in contrast.sentence
    if len(seeds) < 3:
        intervals = [group.metrics["f1"].low is not None for group in found.tables[0].groups]
        assert intervals == [may_speak] * 2
    assert may_speak or not slices_of(found)


def in_clusters(folder: Path, num_clusters: int, seeds: tuple[int, ...]) -> Path:
    paragraphs: Floats = np.arange(NUM) * num_clusters // NUM
    for place, skill in enumerate((35, 80)):
        for seed in seeds:
            f1 = answers(4, skill, seed, config=place)
            add(folder, f"{place}-{seed}", f1, {"optimizer.lr": RATES[place], "seed": seed}, paragraphs=paragraphs)
    return folder


def slices_of(found: Comparison) -> list[object]:
    a, b = found.tables[0].groups
    return list(slice_differences(a, b, found.reader))


@pytest.mark.parametrize(("num_titles", "kind"), [(19, "paragraph"), (20, "title")])
def test_articles_are_clusters_where_there_are_twenty(new_folder: NewFolder, num_titles: int, kind: str) -> None:
    folder = new_folder()
    for place in (0, 1):
        run = add(folder, f"{place}", answers(1, 50, config=place), {"optimizer.lr": RATES[place]})
        change_scores(run, {"title": [f"Article {number * num_titles // NUM}" for number in range(NUM)]})
    assert compared(folder).cluster_kind == kind


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_chance_alone_is_seldom_called_a_difference(new_folder: NewFolder, seeds: tuple[int, ...]) -> None:
    plans_of_chance = [Plan(draw, (50, 50), (seeds, seeds)) for draw in range(12)]
    verdicts = [only(compared(plan.write(new_folder()))).verdict for plan in plans_of_chance]
    assert sum(verdict in ("better", "worse") for verdict in verdicts) <= 2
