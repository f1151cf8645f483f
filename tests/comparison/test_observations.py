"""What counts as one observation: repeats, crossed and nested seeds, settings that `--by` averages, few clusters."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from qaexp.comparison.compare import Options, Table, compare
from qaexp.comparison.observations import design
from qaexp.comparison.shown.document import document
from qaexp.comparison.statistics.paired import paired_groups
from qaexp.comparison.statistics.spread import Factor, level_means
from qaexp.errors import ConfigError
from qaexp.runs.score_intervals import MIN_CLUSTERS
from tests.fixtures.compared import edit, scores, write_grid, write_run

KINDS = ("subset", "init", "order", "dropout")


def only_table(path: Path, options: Options) -> Table:
    (table,) = compare([path], options).tables
    return table


def seeded(**values: int) -> dict[str, Any]:
    """Seeds of a run: those given, the others 0."""
    return {"seed": 0} | {f"seeds.{kind}": values.get(kind, 0) for kind in KINDS}


def write_crossed(folder: Path, subsets: int, inits: int, *, lrs: tuple[float, ...] = (1e-4, 1e-3)) -> Path:
    for lr in lrs:
        for subset in range(subsets):
            for init in range(inits):
                f1 = scores(100 * subset + init + round(1e7 * lr), 50 + 3 * subset + (10 if lr > 5e-4 else 0))
                changes = {"optimizer.lr": lr, **seeded(subset=subset, init=init)}
                write_run(folder / f"{lr}-{subset}-{init}", f1, changes=changes)
    return folder


@pytest.mark.parametrize("how", ["copy", "renamed", "reproduced"])
def test_the_same_seed_again_is_no_other_observation(tmp_path: Path, options: Options, how: str) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=2)
    first = tmp_path / "s" / "lr=0.0001,seed=0"
    if how == "copy":
        shutil.copytree(first, tmp_path / "s" / "aaa")
    else:
        again = write_run(tmp_path / "s" / "aaa", scores(0, 50), changes={"optimizer.lr": 1e-4, "seed": 0})
        edit(first / "run.json", started="2026-01-01T00:00:00+00:00")
        edit(again / "run.json", started="2026-01-02T00:00:00+00:00")
        edit(again / "config.json", name="another")
        if how == "reproduced":
            edit(again / "summary.json", train_seconds=7.0)
    comparison = compare([tmp_path], options)
    (group,) = comparison.tables[0].groups
    assert group.n == 2
    assert group.metrics["f1"].over == "questions"
    ((passed_over, reason),) = comparison.skipped
    assert "same" in reason
    if how != "copy":
        assert passed_over.name == "aaa"
        assert "a repeat of" in reason
        assert "seed 0" in reason


def test_the_repeat_that_was_started_first_counts_whatever_it_is_called(tmp_path: Path, options: Options) -> None:
    for name, day, mean in (("b", 1, 40), ("a", 2, 60)):
        run = write_run(tmp_path / "s" / name, scores(0, mean), changes={"seed": 0})
        edit(run / "run.json", started=f"2026-01-0{day}T00:00:00+00:00")
    comparison = compare([tmp_path], options)
    (entry,) = comparison.entries
    assert entry.run.path.name == "b"
    assert "with another" in comparison.skipped[0][1]


@pytest.mark.case("crossed_seeds")
def test_crossed_seeds_count_by_the_values_of_each_kind(tmp_path: Path, options: Options) -> None:
    table = only_table(write_crossed(tmp_path / "s", 2, 5), options)
    for group in table.groups:
        assert (group.n, group.design.levels, group.design.kinds) == (10, (2, 5), ("seeds.subset", "seeds.init"))
        found = group.metrics["f1"]
        values = np.array([entry.metrics["f1"] for entry in group.entries])
        parts = [level_means(values, codes).var(ddof=1) / (codes.max() + 1) for codes in group.design.factors]
        half = stats.t.ppf(0.975, 1) * math.sqrt(sum(parts))
        assert (found.low, found.high) == pytest.approx((max(found.mean - half, 0), min(found.mean + half, 100)))
    (contrast,) = table.contrasts
    assert contrast.kind == "same seeds"
    assert contrast.tests["f1"].difference.df == 1
    assert "2 seeds.subset x 5 seeds.init, crossed" in contrast.how


def test_crossed_factors_by_hand() -> None:
    """Two subsets by two inits; all questions of a run alike, so that clusters add nothing."""
    b = np.repeat(np.array([[1.0], [3.0], [5.0], [11.0]]), 8, axis=1)
    codes = (np.array([0, 0, 1, 1], dtype=np.intp), np.array([0, 1, 0, 1], dtype=np.intp))
    found = paired_groups(np.zeros((4, 8)), b, np.arange(8), factors=tuple(Factor(one) for one in codes))
    # Means of the subsets 2 and 8: variance 18, over 2 values 9. Of the inits 3 and 7: variance 8, over 2 values 4.
    assert found.variance.seeds == ((pytest.approx(9.0), 1.0), (pytest.approx(4.0), 1.0))
    assert (found.difference, found.df) == (5.0, 1.0)
    assert found.standard_error == pytest.approx(math.sqrt(13))


def test_nested_seeds_are_as_many_as_there_are_subsets(tmp_path: Path, options: Options) -> None:
    for subset in range(3):
        for init in range(2):
            changes = seeded(subset=subset, init=10 * subset + init)
            write_run(tmp_path / "s" / f"{subset}-{init}", scores(subset + 10 * init, 50), changes=changes)
    (group,) = only_table(tmp_path / "s", options).groups
    assert group.design.words == "3 seeds.subset, 2 runs within each"
    means = level_means(np.array([entry.metrics["f1"] for entry in group.entries]), group.design.factors[0])
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert (group.metrics["f1"].low, group.metrics["f1"].high) == pytest.approx((low, high))


def test_a_crossing_with_holes_has_no_interval_and_says_why(tmp_path: Path, options: Options) -> None:
    write_crossed(tmp_path / "s", 2, 3)
    for lr in ("0.0001", "0.001"):
        shutil.rmtree(tmp_path / "s" / f"{lr}-1-2")
    table = only_table(tmp_path / "s", options)
    for group in table.groups:
        assert group.metrics["f1"].low is None
        assert "not all combinations were run" in (group.metrics["f1"].problem or "")
    (contrast,) = table.contrasts
    assert (contrast.verdict, contrast.tests["f1"].p) == ("cannot tell", None)
    assert "not all combinations were run" in contrast.sentence


def test_one_kind_of_seed_alone_says_nothing_about_the_others(tmp_path: Path, options: Options) -> None:
    for lr in (1e-4, 1e-3):
        for init in range(3):
            changes = {"optimizer.lr": lr, **seeded(init=init)}
            write_run(tmp_path / "s" / f"{lr}-{init}", scores(init, 40 if lr < 5e-4 else 80), changes=changes)
    (contrast,) = only_table(tmp_path / "s", options).contrasts
    assert contrast.how.startswith("paired by seeds.init")
    assert "nothing about other values of seeds.subset" in contrast.how


@pytest.mark.parametrize("key", ["seed", "seeds.init"])
def test_by_a_seed_compares_seeds_and_never_a_group_with_itself(tmp_path: Path, options: Options, key: str) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 70}, seeds=3)
    table = only_table(tmp_path / "s", replace(options, by=key))
    assert sorted(group.name for group in table.groups) == [f"{key}=0", f"{key}=1", f"{key}=2"]
    assert all(contrast.a != contrast.b for contrast in table.contrasts)
    assert len(table.contrasts) == 3
    assert all(group.n == 2 and group.design.num_settings == 2 for group in table.groups)


def test_by_averages_other_settings_and_counts_seeds_alone(tmp_path: Path, options: Options) -> None:
    for epochs in (1, 2, 3):
        for lr in (1e-4, 1e-3):
            for seed in (0, 1):
                changes = {"optimizer.lr": lr, "trainer.epochs": epochs, "seed": seed}
                write_run(tmp_path / "s" / f"{lr}-{epochs}-{seed}", scores(seed + 10 * epochs, 50), changes=changes)
    table = only_table(tmp_path / "s", replace(options, by="optimizer.lr"))
    for group in table.groups:
        assert (group.n, group.design.n) == (6, 2)
        assert group.design.words == "3 other settings (trainer.epochs), averaged, x 2 seeds"
        assert group.metrics["f1"].over == "questions"
    assert table.contrasts[0].kind == "same seeds"
    assert table.contrasts[0].tests["f1"].difference.variance.seeds[0][1] == 1


def test_by_refuses_to_test_where_other_settings_are_not_the_same(tmp_path: Path, options: Options) -> None:
    for lr, epochs in ((1e-4, (1, 2)), (1e-3, (2, 3))):
        for one in epochs:
            for seed in (0, 1):
                changes = {"optimizer.lr": lr, "trainer.epochs": one, "seed": seed}
                write_run(tmp_path / "s" / f"{lr}-{one}-{seed}", scores(seed, 50), changes=changes)
    (contrast,) = only_table(tmp_path / "s", replace(options, by="optimizer.lr")).contrasts
    assert contrast.verdict == "cannot tell"
    assert "the other settings are not the same (trainer.epochs)" in contrast.sentence
    assert not contrast.single_factor


def test_by_a_key_that_no_run_has_names_the_nearest(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=1)
    with pytest.raises(ConfigError, match=r"did you mean optimizer\.lr"):
        compare([tmp_path], replace(options, by="optimizer.l"))


@pytest.mark.case("two_paragraphs")
@pytest.mark.parametrize("num", [1, 2, 3, 4])
def test_three_paragraphs_or_fewer_allow_no_statement(tmp_path: Path, options: Options, num: int) -> None:
    size = 80 // num
    for lr, mean in ((1e-4, 30), (1e-3, 80)):
        for seed in range(5):
            f1 = scores(seed, mean, size * num)
            changes = {"optimizer.lr": lr, "seed": seed}
            write_run(tmp_path / "s" / f"{lr}-{seed}", f1, changes=changes, per_paragraph=size)
    (contrast,) = only_table(tmp_path / "s", options).contrasts
    tested = contrast.tests["f1"]
    if num < MIN_CLUSTERS:
        assert contrast.verdict == "cannot tell"
        assert f"{num} paragraph" in contrast.sentence
        assert (tested.low, tested.p, tested.p_holm, tested.minimum_detectable) == (None,) * 4
    else:
        assert tested.p is not None


def test_the_page_and_json_tell_what_is_an_observation(tmp_path: Path, options: Options) -> None:
    told = document(compare([write_crossed(tmp_path / "s", 2, 3)], options))
    assert {group["design"] for group in told["groups"]} == {"2 seeds.subset x 3 seeds.init, crossed"}
    assert all(group["metrics"]["f1"]["interval_over"] == "seeds" for group in told["groups"])


def test_two_kinds_that_go_together_are_one() -> None:
    found = design([(0, 5, 0, 0), (1, 6, 0, 0), (2, 7, 0, 0)])
    assert (found.kinds, found.levels) == (("seeds.subset+seeds.init",), (3,))
    assert found.fixed == ("seeds.order", "seeds.dropout")


def test_seeds_that_did_nothing_are_one_observation(tmp_path: Path, options: Options) -> None:
    trained = {"train_loss": 1.25, "null_threshold": -0.5}
    for lr in (1e-4, 1e-3):
        for dropout in range(3):
            changes = {"optimizer.lr": lr, **seeded(dropout=dropout)}
            run = write_run(tmp_path / "s" / f"{lr}-{dropout}", scores(round(1e5 * lr), 50), changes=changes)
            edit(run / "summary.json", **trained, train_seconds=float(dropout))
    comparison = compare([tmp_path], options)
    assert [group.n for group in comparison.tables[0].groups] == [1, 1]
    assert sum("without effect" in reason for _, reason in comparison.skipped) == 4
    assert comparison.tables[0].contrasts[0].kind == "runs"
    edit(tmp_path / "s" / "0.001-2" / "summary.json", train_loss=1.26)
    assert sorted(group.n for group in compare([tmp_path], options).tables[0].groups) == [1, 2]


def test_by_one_kind_of_seed_names_the_others_that_went_with_it(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=2)
    (contrast,) = only_table(tmp_path / "s", replace(options, by="seeds.init")).contrasts
    assert not contrast.single_factor
    assert {"seeds.init", "seeds.subset", "seeds.order", "seeds.dropout"} <= set(contrast.factors)
    (contrast,) = only_table(tmp_path / "s", replace(options, by="seed")).contrasts
    assert contrast.factors == ["seed"]


def test_by_counts_every_setting_once_where_runs_are_missing(tmp_path: Path, options: Options) -> None:
    for lr in (1e-4, 1e-3):
        for epochs in (1, 2):
            for seed in (0, 1):
                f1 = np.full(80, 100.0) * (np.arange(80) < 20 * epochs + seed)
                changes = {"optimizer.lr": lr, "trainer.epochs": epochs, "seed": seed}
                write_run(tmp_path / "s" / f"{lr}-{epochs}-{seed}", f1, changes=changes)
    shutil.rmtree(tmp_path / "s" / "0.001-1-0")
    table = only_table(tmp_path / "s", replace(options, by="optimizer.lr"))
    whole, part = table.group("lr=0.0001"), table.group("lr=0.001")
    means = {group.name: group.metrics["f1"].mean for group in (whole, part)}
    assert means[part.name] == pytest.approx(100 * ((21 + (40 + 41) / 2) / 2) / 80)
    (contrast,) = table.contrasts
    sign = 1 if contrast.b == part.name else -1
    assert contrast.tests["f1"].difference.difference == pytest.approx(sign * (means[part.name] - means[whole.name]))
    assert contrast.verdict == "cannot tell"


def test_odd_seeds_and_numbers_stop_nobody(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=2)
    for name, changes in (("list", {"seeds.init": [1]}), ("tree", {"seeds.init": {"a": 1}})):
        write_run(tmp_path / "s" / name, scores(5, 50), changes={"optimizer.lr": 1e-4, **changes})
    odd = write_run(tmp_path / "s" / "odd", scores(6, 50), changes={"optimizer.lr": 1e-3, "decoding": "fast"})
    edit(odd / "summary.json", best_f1=10**400)
    comparison = compare([tmp_path], options)
    assert len(comparison.entries) == 5
    assert any("decoding is fast" in reason for _, reason in comparison.refused)
