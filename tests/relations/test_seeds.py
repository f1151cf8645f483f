"""What is learnt about seeds comes from the seeds that were run: their number, their kinds, how they were swept."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qaexp.comparison.groups import Group
from qaexp.comparison.verdict import CANNOT_TELL
from tests.relations.studies import RATES, NewFolder, Plan, add, answers, compared, crossed, examples, only, plans

KINDS = ("subset", "init", "order", "dropout")


def sweep(folder: Path, seeds: Sequence[dict[str, int]], *, rates: int = 2) -> Path:
    """Write runs of two rates with these seeds of each kind; a kind that is not named stays at 2."""
    for place, (number, one) in itertools.product(range(rates), enumerate(seeds)):
        values = {f"seeds.{kind}": one.get(kind, 2) for kind in KINDS}
        # Subsets move a run more than anything else.
        f1 = answers(3, 50 + 5 * place + 4 * one.get("subset", 0), 7 * number + place, config=place)
        add(folder, f"{place}-{number}", f1, {"optimizer.lr": RATES[place], **values})
    return folder


def only_groups(folder: Path) -> list[Group]:
    return list(compared(folder).tables[0].groups)


@examples(8)
@given(plan=plans(groups=(3, 4)), place=st.integers(0, 20))
def test_without_a_run_there_is_one_observation_less(new_folder: NewFolder, plan: Plan, place: int) -> None:
    folder = plan.write(new_folder())
    before = {group.name: group.n for group in only_groups(folder)}
    runs = sorted(folder.iterdir())
    shutil.rmtree(runs[place % len(runs)])
    after = {group.name: group.n for group in only_groups(folder)}
    assert sum(before.values()) - sum(after.values()) == 1
    assert sum(after.get(name) != n for name, n in before.items()) == 1


def test_without_a_repeat_there_is_no_observation_less(new_folder: NewFolder) -> None:
    folder = Plan(1, (50, 60), ((0, 1),) * 2).write(new_folder())
    add(folder, "again", answers(9, 70), {"optimizer.lr": RATES[0], "seed": 1})
    before = [(group.n, group.design.n) for group in only_groups(folder)]
    shutil.rmtree(folder / "again")
    assert [(group.n, group.design.n) for group in only_groups(folder)] == before == [(2, 2), (2, 2)]


@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5])
def test_an_interval_says_over_what_it_is(new_folder: NewFolder, num_seeds: int) -> None:
    folder = Plan(1, (50, 60), (tuple(range(num_seeds)),) * 2).write(new_folder())
    for group in only_groups(folder):
        found = group.metrics["f1"]
        assert found.over == ("seeds" if num_seeds >= 3 else "questions")
        assert (found.sd is None) == (num_seeds == 1)
        assert group.metrics["train_seconds"].over is None or num_seeds >= 3
        assert found.low is not None
        assert found.low < found.mean < (found.high or 0)


@pytest.mark.parametrize("others", [(0, 1), (0, 1, 2, 3, 4), (7, 8)])
def test_one_seed_against_several_tells_nothing_about_seeds(new_folder: NewFolder, others: tuple[int, ...]) -> None:
    contrast = only(compared(Plan(2, (35, 80), ((0,), others)).write(new_folder())))
    assert (contrast.kind, contrast.verdict) == ("one seed", CANNOT_TELL)
    assert "single seed" in contrast.sentence
    assert "not about other seeds" in contrast.how
    for found in contrast.tests.values():
        assert (found.p, found.p_holm, found.p_verdict, found.minimum_detectable) == (None,) * 4
        assert not found.more_seeds


@pytest.mark.parametrize(
    ("a", "b", "kind", "how"),
    [
        ((0,), (0,), "runs", "not about other seeds"),
        ((0,), (3,), "runs", "not about other seeds"),
        ((0, 1), (0, 1), "same seeds", "paired by seed"),
        ((0, 1), (1, 0), "same seeds", "paired by seed"),
        ((0, 1), (0, 1, 2, 3, 4), "other seeds", "seeds differ"),
        ((0, 1), (2, 3), "other seeds", "seeds differ"),
    ],
)
def test_the_kind_of_a_comparison_follows_from_its_seeds(
    new_folder: NewFolder, a: tuple[int, ...], b: tuple[int, ...], kind: str, how: str
) -> None:
    contrast = only(compared(Plan(2, (50, 60), (a, b)).write(new_folder())))
    assert contrast.kind == kind
    assert how in contrast.how
    parts = contrast.tests["f1"].difference.variance.seeds
    assert len(parts) == {"runs": 0, "same seeds": 1, "other seeds": 2}[kind]


def test_two_seeds_against_five_have_a_part_each(new_folder: NewFolder) -> None:
    folder = Plan(2, (50, 60), ((0, 1), (0, 1, 2, 3, 4))).write(new_folder())
    contrast = only(compared(folder))
    groups = {group.name: [e.metrics["f1"] for e in group.entries] for group in only_groups(folder)}
    for name, (variance, df) in zip(
        (contrast.a, contrast.b), contrast.tests["f1"].difference.variance.seeds, strict=True
    ):
        assert variance == pytest.approx(np.var(groups[name], ddof=1) / len(groups[name]))
        assert df == len(groups[name]) - 1


@pytest.mark.parametrize(("subsets", "inits"), [(2, 2), (2, 5), (5, 2), (3, 4)])
def test_crossed_seeds_are_as_many_as_the_kind_with_the_fewest(new_folder: NewFolder, subsets: int, inits: int) -> None:
    seeds = [{"subset": subset, "init": init} for subset, init in crossed(subsets, inits)]
    comparison = compared(sweep(new_folder(), seeds))
    for group in comparison.tables[0].groups:
        assert (group.n, group.design.n, group.design.is_crossed) == (subsets * inits, min(subsets, inits), True)
        assert group.design.words == f"{subsets} seeds.subset x {inits} seeds.init, crossed"
        found = group.metrics["f1"]
        assert found.over == "seeds"
        for kind in ("subset", "init"):
            means = means_by(group, kind)
            if len(means) == group.design.n and stats.sem(means) > 0:
                low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
                assert (found.high or 0) - (found.low or 0) >= min(high, 100) - max(low, 0) - 1e-9
    (contrast,) = comparison.tables[0].contrasts
    variance = contrast.tests["f1"].difference.variance
    assert [df for _, df in variance.seeds] == [subsets - 1, inits - 1]
    if min(subsets, inits) == 2:
        assert variance.df == 1
    assert "seeds.order" in contrast.how
    assert not contrast.tests["f1"].more_seeds


def means_by(group: Group, kind: str) -> list[float]:
    found: dict[int, list[float]] = {}
    for entry in group.entries:
        found.setdefault(entry.run.config["seeds"][kind], []).append(entry.metrics["f1"])
    return [float(np.mean(values)) for values in found.values()]


def test_seeds_within_seeds_are_as_many_as_those_they_lie_in(new_folder: NewFolder) -> None:
    seeds = [{"subset": number // 3, "init": number} for number in range(12)]
    comparison = compared(sweep(new_folder(), seeds))
    for group in comparison.tables[0].groups:
        assert group.design.words == "4 seeds.subset, 3 runs within each"
        means = means_by(group, "subset")
        low, high = stats.t.interval(0.95, 3, np.mean(means), stats.sem(means))
        found = group.metrics["f1"]
        assert (found.low, found.high) == (pytest.approx(max(low, 0)), pytest.approx(min(high, 100)))
    assert only(comparison).tests["f1"].difference.variance.seeds[0][1] == 3


def test_an_incomplete_crossing_has_no_interval_and_says_why(new_folder: NewFolder) -> None:
    seeds = [{"subset": subset, "init": init} for subset, init in crossed(3, 3)][:-1]
    comparison = compared(sweep(new_folder(), seeds))
    for group in comparison.tables[0].groups:
        found = group.metrics["f1"]
        assert (found.low, found.high, found.over) == (None, None, None)
        assert "not all combinations" in (found.problem or "")
    contrast = only(comparison)
    assert contrast.verdict == CANNOT_TELL
    assert "not all combinations" in contrast.sentence
    assert contrast.tests["f1"].p is None


def test_kinds_of_seeds_that_stay_the_same_are_not_spoken_about(new_folder: NewFolder) -> None:
    seeds = [{"init": value, "order": value} for value in range(4)]
    comparison = compared(sweep(new_folder(), seeds))
    assert {group.design.words for group in comparison.tables[0].groups} == {"4 seeds.init+seeds.order"}
    assert "nothing about other values of seeds.subset, seeds.dropout" in only(comparison).how
    assert "seeds.init" in only(comparison).how


def test_seeds_that_all_give_the_same_have_no_interval(new_folder: NewFolder) -> None:
    folder = new_folder()
    for seed in range(3):
        add(folder, f"{seed}", answers(1, 50), {"seed": seed})
    found = only_groups(folder)[0].metrics["f1"]
    assert (found.low, found.high, found.over) == (None, None, None)
    assert "the same value" in (found.problem or "")
