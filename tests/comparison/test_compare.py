"""Whole comparisons: who is ranked with whom, what is said about them, and that no order of anything matters."""

from __future__ import annotations

import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.effects import learning_curve, quality_and_cost, seed_shares
from qaexp.comparison.flips import flip_kind, flips
from qaexp.comparison.group_answers import stability
from qaexp.comparison.main_effects import main_effects
from qaexp.comparison.shown.document import document
from qaexp.comparison.slices import slice_differences
from qaexp.comparison.verdict import ALPHA
from qaexp.errors import ConfigError
from tests.fixtures.compared import edit, rows_of, scores, write_grid, write_run


def test_groups_form_over_seeds_with_the_t_interval_of_scipy(grid: Path, options: Options) -> None:
    (table,) = compare([grid], options).tables
    assert (table.groups[0].name, table.groups[0].n) == ("lr=0.001", 3)
    for group in table.groups:
        values = [entry.metrics["f1"] for entry in group.entries]
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        found = group.metrics["f1"]
        assert (found.mean, found.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
        assert (found.low, found.high, found.over) == (pytest.approx(low), pytest.approx(high), "seeds")


def test_verdicts_say_what_was_planted(grid: Path, options: Options) -> None:
    comparison = compare([grid], replace(options, baseline="lr=0.0001"))
    (table,) = comparison.tables
    words = {(one.a, one.b): one for one in table.contrasts}
    better = words["lr=0.0001", "lr=0.001"]
    assert better.verdict == "better"
    assert better.single_factor
    assert (better.tests["f1"].low or 0) > 0
    alike = words["lr=0.0001", "lr=0.0003"]
    assert alike.verdict in ("cannot tell", "equivalent")
    assert len(table.contrasts) == 3


@pytest.mark.parametrize("seed", range(3))
def test_no_order_changes_anything(grid: Path, options: Options, seed: int) -> None:
    paths = sorted(grid.iterdir())
    expected = document(compare(paths, options))
    random.Random(seed).shuffle(paths)
    assert document(compare(paths, options)) == expected


def test_questions_are_paired_by_id_never_by_place(tmp_path: Path, options: Options) -> None:
    a, b = scores(0, 50), scores(0, 70)
    write_run(tmp_path / "x" / "a", a, changes={"optimizer.lr": 1e-4})
    write_run(tmp_path / "x" / "b", b, changes={"optimizer.lr": 1e-3})
    write_run(tmp_path / "y" / "a", a, changes={"optimizer.lr": 1e-4})
    shuffled = np.random.default_rng(0).permutation(len(b))
    write_run(tmp_path / "y" / "b", b, changes={"optimizer.lr": 1e-3}, order=shuffled)
    one, other = (document(compare([tmp_path / folder], options))["contrasts"] for folder in "xy")
    assert one == other
    exact_a, exact_b = a == 100, b == 100
    lower, upper = (one[0]["exact"]["mcnemar_b"], one[0]["exact"]["mcnemar_c"])
    sides = {int(np.sum(exact_a & ~exact_b)), int(np.sum(exact_b & ~exact_a))}
    assert {lower, upper} == sides
    assert one[0]["exact"]["p"] == pytest.approx(stats.binomtest(lower, lower + upper).pvalue)


def test_a_single_run_has_an_interval_over_questions_and_says_so(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 60))
    (group,) = compare([tmp_path], options).tables[0].groups
    found = group.metrics["f1"]
    assert (found.sd, found.over, found.n) == (None, "questions", 1)
    assert found.low is not None
    assert found.low < found.mean < (found.high or 0)
    assert group.metrics["train_seconds"].low is None


def test_one_seed_against_many_cannot_tell(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 40}, seeds=3)
    write_run(tmp_path / "s" / "one", scores(0, 80), changes={"optimizer.lr": 1e-3, "seed": 0})
    (contrast,) = compare([tmp_path], options).tables[0].contrasts
    assert contrast.verdict == "cannot tell"
    assert "single seed" in contrast.sentence


def test_a_collapsed_group_is_never_first(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "good", scores(0, 40), changes={"optimizer.lr": 1e-4})
    flag = [{"name": "null_collapse", "step": 3, "advice": "x"}]
    write_run(tmp_path / "s" / "bad", scores(0, 90), changes={"optimizer.lr": 1e-3}, flags=flag)
    (table,) = compare([tmp_path], options).tables
    assert table.groups[0].name == "lr=0.0001"
    assert [table.ranks[group.name] for group in table.groups] == [1, None]


GUARDS = {
    "questions": ({"num": 200}, "other dev questions (200 against 240)"),
    "golds": (
        {"dev_sha256": "other", "golds": [["else"]] * 240},
        "other gold answers, or other words of the questions",
    ),
    "decoding": (
        {"changes": {"decoding.max_answer_length": 5}},
        "decoding.max_answer_length is 5 against 30",
    ),
}


@pytest.mark.parametrize("case", GUARDS)
def test_what_was_measured_differently_is_never_ranked_together(tmp_path: Path, options: Options, case: str) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=3)
    more, reason = GUARDS[case]
    words = dict(more)
    f1 = scores(7, 99, words.pop("num", 240))  # type: ignore[call-overload]
    changes = {"optimizer.lr": 1e-3, **words.pop("changes", {})}  # type: ignore[dict-item]
    write_run(tmp_path / "s" / "other", f1, changes=changes, **words)  # type: ignore[arg-type]
    comparison = compare([tmp_path], options)
    assert [table.reason for table in comparison.tables] == [None, reason]
    assert [len(table.contrasts) for table in comparison.tables] == [0, 0]
    ((paths, said),) = comparison.refused
    assert ([path.name for path in paths], said) == (["other"], reason)


def test_another_results_version_stands_apart(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50}, seeds=2)
    other = write_run(tmp_path / "s" / "other", scores(9, 60), changes={"optimizer.lr": 1e-3})
    edit(other / "run.json", inputs={"results_version": 1})
    assert compare([tmp_path], options).tables[1].reason == "another version of metrics and results (1 against 2)"


def test_another_file_with_the_same_questions_and_golds_is_the_same(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 50), changes={"optimizer.lr": 1e-4})
    write_run(tmp_path / "s" / "b", scores(0, 60), changes={"optimizer.lr": 1e-3}, dev_sha256="reformatted")
    assert len(compare([tmp_path], options).tables) == 1


def test_a_job_that_is_planned_and_not_started_is_told_as_that(tmp_path: Path, options: Options) -> None:
    sweep = tmp_path / "s"
    write_run(sweep / "a", scores(0, 50))
    (sweep / "b").mkdir()
    (sweep / "notes").mkdir()
    (sweep / "plan.json").write_text(json.dumps({"jobs": [{"path": "a"}, {"path": "b"}]}))
    told = {path.name: reason for path, reason in compare([sweep / "a", sweep / "b", sweep / "notes"], options).skipped}
    assert told == {"b": "planned, and not started yet", "notes": "not a run directory"}


def test_questions_in_other_words_are_other_questions(tmp_path: Path, options: Options) -> None:
    """Ids, paragraphs and gold answers are the same; what is asked is not."""
    write_run(tmp_path / "s" / "a", scores(0, 50), changes={"optimizer.lr": 1e-4})
    other = write_run(tmp_path / "s" / "b", scores(0, 60), changes={"optimizer.lr": 1e-3}, dev_sha256="other")
    lines = [json.loads(line) for line in (other / "predictions.jsonl").read_text().splitlines()]
    lines[7]["question"] = "What else was it?"
    (other / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    reasons = [table.reason for table in compare([tmp_path], options).tables]
    assert reasons == [None, "other gold answers, or other words of the questions"]


def test_a_score_over_a_part_of_the_questions_is_refused(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 50))
    part = write_run(tmp_path / "s" / "part", scores(0, 60), changes={"optimizer.lr": 1e-3})
    lines = (part / "scores.csv").read_text().splitlines(keepends=True)
    (part / "scores.csv").write_text("".join(lines[:-3]))
    comparison = compare([tmp_path], options)
    assert comparison.refused[0][0] == (part,)
    assert "237 of 240 questions" in comparison.refused[0][1]
    assert len(comparison.entries) == 1


def test_ten_groups_are_compared_in_pairs_and_more_with_the_baseline(tmp_path: Path, options: Options) -> None:
    for number in range(10):
        write_run(tmp_path / "s" / f"{number}", scores(number, 50, 60), changes={"optimizer.lr": (number + 1) * 1e-4})
    assert len(compare([tmp_path], options).tables[0].contrasts) == 45
    write_run(tmp_path / "s" / "ten", scores(10, 50, 60), changes={"optimizer.lr": 11e-4})
    (table,) = compare([tmp_path], options).tables
    assert len(table.contrasts) == 10
    assert {contrast.a for contrast in table.contrasts} == {table.baseline}


def test_a_contrast_is_confounded_when_more_than_one_key_changed(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 50))
    write_run(tmp_path / "s" / "b", scores(0, 60), changes={"optimizer.lr": 1e-3, "trainer.epochs": 9})
    (contrast,) = compare([tmp_path], options).tables[0].contrasts
    assert (contrast.single_factor, sorted(contrast.factors)) == (False, ["optimizer.lr", "trainer.epochs"])


def test_content_that_changed_under_the_same_name_is_a_cause_too(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 50))
    other = write_run(tmp_path / "s" / "b", scores(0, 60), changes={"optimizer.lr": 1e-3})
    inputs = {"weights": {"weights_sha256": "v", "config_sha256": "c"}, "data": {"dev_sha256": "dev"}}
    edit(other / "run.json", inputs={**inputs, "results_version": 2})
    (contrast,) = compare([tmp_path], options).tables[0].contrasts
    assert (contrast.single_factor, contrast.factors) == (False, ["optimizer.lr", "inputs.weights"])


def test_where_keeps_and_lists(grid: Path, options: Options) -> None:
    comparison = compare([grid], replace(options, where=("optimizer.lr>=3e-4", "seed!=2")))
    assert len(comparison.entries) == 4
    assert sum("--where" in reason for _, reason in comparison.skipped) == 5
    for bad in ("optimizer.lr", "no.such.key=3"):
        with pytest.raises(ConfigError, match="--where"):
            compare([grid], replace(options, where=(bad,)))


def test_by_groups_by_one_key_alone(tmp_path: Path, options: Options) -> None:
    for lr in (1e-4, 1e-3):
        for epochs in (1, 2, 3):
            write_run(
                tmp_path / "s" / f"{lr}-{epochs}",
                scores(epochs, 50 if lr < 5e-4 else 75),
                changes={"optimizer.lr": lr, "trainer.epochs": epochs},
            )
    (table,) = compare([tmp_path], replace(options, by="optimizer.lr")).tables
    assert [(group.name, group.n) for group in table.groups] == [("lr=0.001", 3), ("lr=0.0001", 3)]
    with pytest.raises(ConfigError, match="--by no"):
        compare([tmp_path], replace(options, by="no.key"))


def test_baseline_is_the_group_nearest_to_the_default_config(tmp_path: Path, options: Options) -> None:
    default = options.defaults["optimizer.lr"]
    write_run(tmp_path / "s" / "a", scores(0, 80), changes={"optimizer.lr": 123.0})
    write_run(tmp_path / "s" / "b", scores(0, 50), changes={"optimizer.lr": default})
    assert compare([tmp_path], options).tables[0].baseline == f"lr={default}"
    with pytest.raises(ConfigError, match="--baseline 'nothing'"):
        compare([tmp_path], replace(options, baseline="nothing"))


def test_the_same_run_twice_counts_once(tmp_path: Path, options: Options) -> None:
    write_run(tmp_path / "s" / "a", scores(0, 50))
    shutil.copytree(tmp_path / "s" / "a", tmp_path / "s" / "copy")
    comparison = compare([tmp_path, tmp_path / "s" / "a", tmp_path / "s" / ".." / "s"], options)
    assert len(comparison.entries) == 1
    assert any("the same run as" in reason for _, reason in comparison.skipped)


def test_flips_by_hand(tmp_path: Path, options: Options) -> None:
    golds = [["Paris"], ["Rome"], [], ["Oslo"], ["Bern"], ["Kyiv"]]
    exact = {"a": [100, 0, 100, 0, 0, 100], "b": [0, 100, 0, 0, 0, 100]}
    texts = {"a": ["Paris", "x", "", "", "y", "Kyiv"], "b": ["no", "Rome", "z", "w", "v", "Kyiv"]}
    for name, lr in (("a", 1e-4), ("b", 1e-3)):
        values = np.array(exact[name], dtype=float)
        write_run(tmp_path / "s" / name, values, changes={"optimizer.lr": lr}, texts=texts[name], golds=golds)
    comparison = compare([tmp_path], replace(options, baseline="0.0001"))
    (table,) = comparison.tables
    a, b = table.group("lr=0.0001"), table.group("lr=0.001")
    found = {flip.id: flip.kind for flip in flips(a, b, comparison.reader)}
    assert found == {
        "q00000": "broken",
        "q00001": "fixed",
        "q00002": "broken",
        "q00003": "null to span",
        "q00004": "changed but equal",
    }
    assert flip_kind("x", "", 0, 0) == "span to null"


def test_stability_counts_over_seeds(grid: Path, options: Options) -> None:
    comparison = compare([grid], options)
    group = comparison.tables[0].groups[0]
    counts = stability(group, comparison.reader)
    assert counts is not None
    exact = (
        np.array([[float(row["exact"]) for row in rows_of(e.run.path / "scores.csv")] for e in group.entries]) == 100
    )
    assert counts == {
        "always right": int(exact.all(axis=0).sum()),
        "always wrong": int((~exact).all(axis=0).sum()),
        "churn": int((exact.any(axis=0) & ~exact.all(axis=0)).sum()),
    }


def test_slices_are_corrected_for_their_number(grid: Path, options: Options) -> None:
    comparison = compare([grid], options)
    table = comparison.tables[0]
    found = slice_differences(table.groups[-1], table.groups[0], comparison.reader, any_look=False)
    assert {one.dimension for one in found} >= {"question word", "answer length", "number of windows", "article"}
    assert all((one.p_holm or 0) >= (one.p or 0) and one.n >= 20 for one in found)
    significant = [one.p_holm is not None and one.p_holm <= ALPHA for one in found]
    assert [one.low is not None and not one.low <= 0 <= (one.high or 0) for one in found] == significant
    assert all(one.difference == pytest.approx(one.b - one.a) for one in found)
    assert any(significant)


def test_main_effects_of_a_balanced_grid_are_its_marginal_means(tmp_path: Path, options: Options) -> None:
    for lr in (1e-4, 1e-3):
        for epochs in (1, 4):
            for seed in (0, 1):
                f1 = scores(seed + 10 * epochs, 50 + 20 * (lr > 5e-4))
                name = f"{lr}-{epochs}-{seed}"
                write_run(
                    tmp_path / "s" / name, f1, changes={"optimizer.lr": lr, "trainer.epochs": epochs, "seed": seed}
                )
    comparison = compare([tmp_path], options)
    (table,) = comparison.tables
    everything = [entry.metrics["f1"] for entry in comparison.entries]
    effects = {(effect.key, effect.value): effect for effect in main_effects(table.groups, "f1").rows}
    for (key, value), effect in effects.items():
        own = [e.metrics["f1"] for g in table.groups if repr(g.changes[key]) == value for e in g.entries]
        assert effect.effect == pytest.approx(np.mean(own) - np.mean(everything))
        assert effect.n == 4
    assert set(effects) == {
        ("optimizer.lr", "0.0001"),
        ("optimizer.lr", "0.001"),
        ("trainer.epochs", "1"),
        ("trainer.epochs", "4"),
    }


def test_split_seeds_share_the_variance(tmp_path: Path, options: Options) -> None:
    for init in (0, 1, 2):
        for order in (0, 1):
            f1 = scores(10 * init, 50)
            changes = {"seeds.init": init, "seeds.order": order}
            write_run(tmp_path / "s" / f"{init}-{order}", f1, changes=changes)
    comparison = compare([tmp_path], options)
    shares = seed_shares(comparison.tables[0].groups, "f1")
    assert shares["seeds.init"] == pytest.approx(100)
    assert shares["seeds.order"] == pytest.approx(0)


def test_learning_curve_and_pareto_front(tmp_path: Path, options: Options) -> None:
    plan = {100: (40, 10.0), 400: (60, 40.0), 200: (55, 90.0)}
    for size, (mean, seconds) in plan.items():
        for seed in range(3):
            write_run(
                tmp_path / "s" / f"{size}-{seed}",
                scores(seed, mean),
                changes={"data.train_size": size, "seed": seed},
                summary={"train_seconds": seconds},
            )
    groups = compare([tmp_path], options).tables[0].groups
    curve = learning_curve(groups, "f1")
    assert [point.x for point in curve] == [100, 200, 400]
    assert all(point.low is not None and point.low <= point.y <= (point.high or 0) for point in curve)
    assert [(point.x, point.is_best) for point in quality_and_cost(groups, "f1")] == [
        (10, True),
        (40, True),
        (90, False),
    ]


def test_many_ties_and_missing_numbers_have_one_order(tmp_path: Path, options: Options) -> None:
    for number in range(6):
        write_run(tmp_path / "s" / f"r{number}", scores(0, 50, 60), changes={"optimizer.lr": (number + 1) / 1e4})
    edit(tmp_path / "s" / "r2" / "summary.json", crossfit_f1=None)
    edit(tmp_path / "s" / "r4" / "summary.json", crossfit_f1="high")
    summary = tmp_path / "s" / "r5" / "summary.json"
    summary.write_text(summary.read_text().replace('"f1"', '"f1": NaN, "x"'))
    tables = []
    for seed in range(20):
        paths = sorted((tmp_path / "s").iterdir())
        random.Random(seed).shuffle(paths)
        tables.append([group.name for group in compare(paths, options).tables[0].groups])
    assert all(table == tables[0] for table in tables)
    assert tables[0][-2:] == ["lr=0.0003", "lr=0.0005"]
    assert not any(math.isnan(e.metrics.get("f1", 0)) for e in compare([tmp_path], options).entries)
