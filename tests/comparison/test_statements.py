"""What a comparison says beside its verdicts: power, ranks, causes, baselines, collapse, and ranges of numbers."""

from __future__ import annotations

import csv as csv_module
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from qaexp.comparison.best import best_run
from qaexp.comparison.compare import Comparison, Options, Table, compare
from qaexp.comparison.flips import flips
from qaexp.comparison.main_effects import main_effects
from qaexp.comparison.shown import paper
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from qaexp.comparison.shown.tables import terminal
from qaexp.comparison.statistics.power import minimum_detectable
from qaexp.storage.formats import csv_text
from tests.fixtures.compared import edit, rows_of, scores, write_grid, write_run

COLLAPSED = [{"name": "null_collapse", "step": 3, "advice": "x"}]


def only_table(path: Path, options: Options) -> Table:
    (table,) = compare([path], options).tables
    return table


def printed(comparison: Comparison, width: int = 200) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(terminal(comparison))
    return out.getvalue()


def numbers_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a table of scores; the scores of a model are numbers, as negative ones begin like a formula."""
    return [{**row, "null_score_diff": float(row["null_score_diff"])} for row in rows_of(path)]


def half_without_answers(run: Path) -> None:
    rows = numbers_of(run / "scores.csv")
    for number, row in enumerate(rows):
        row["answer_words"] = number % 2
    (run / "scores.csv").write_text(csv_text(rows), "utf-8")


def silence(run: Path, *, threshold: float | None = None) -> None:
    """Make a run answer nothing at 0, or at a tuned threshold only."""
    rows = numbers_of(run / "scores.csv")
    for number, row in enumerate(rows):
        row["answer_words"] = number % 2
        empty = "0.0" if number % 2 else "100.0"
        row["crossfit_exact"] = row["crossfit_f1"] = empty
        row["null_score_diff"] = 1.0 if threshold is None else -1.0
        if threshold is None:
            row["exact"] = row["f1"] = empty
    (run / "scores.csv").write_text(csv_text(rows), "utf-8")
    keys = ("crossfit_exact", "crossfit_f1", *(("exact", "f1") if threshold is None else ()))
    means = {key: float(np.mean([float(row[key]) for row in rows])) for key in keys}
    edit(run / "summary.json", **means, **({} if threshold is None else {"null_threshold": threshold}))


# ---------------------------------------------------------------- power


@pytest.mark.case("detectable_among_ten_groups")
def test_what_could_be_detected_is_that_of_the_corrected_test(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={lr * 1e-4: 50 + lr for lr in range(1, 7)}, seeds=3)
    for contrast in only_table(tmp_path / "s", options).contrasts:
        tested = contrast.tests["crossfit_f1"]
        assert contrast.num_contrasts == 15
        assert tested.minimum_detectable == pytest.approx(minimum_detectable(tested.difference, level=1 - 0.05 / 15))
        assert tested.low is not None
        assert tested.high is not None
        assert (not tested.low <= 0 <= tested.high) == ((tested.p_verdict or 0) <= 0.05)
        if contrast.verdict not in ("better", "worse"):
            assert abs(tested.difference.difference) < (tested.minimum_detectable or 0)


def test_equal_scores_are_nothing_to_test(tmp_path: Path, options: Options) -> None:
    for lr in (1e-4, 1e-3):
        for seed in (0, 1):
            write_run(tmp_path / "s" / f"{lr}-{seed}", scores(0, 50), changes={"optimizer.lr": lr, "seed": seed})
    table = only_table(tmp_path / "s", options)
    (contrast,) = table.contrasts
    tested = contrast.tests["crossfit_f1"]
    assert contrast.verdict == "cannot tell"
    assert contrast.sentence.endswith("nothing to test")
    assert "240 questions" in contrast.sentence
    assert (tested.minimum_detectable, tested.low, tested.p, tested.more_seeds) == (None, None, 1.0, {})
    assert [str(rank) for rank in table.places.values()] == ["1-2", "1-2"]


def test_against_a_single_seed_nothing_is_tested_or_corrected_for(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 70}, seeds=3)
    write_run(tmp_path / "s" / "one", scores(0, 60), changes={"optimizer.lr": 0.5, "seed": 0})
    table = only_table(tmp_path / "s", options)
    one = [contrast for contrast in table.contrasts if "0.5" in contrast.a + contrast.b]
    assert len(one) == 2
    for contrast in one:
        tested = contrast.tests["f1"]
        assert (tested.p, tested.p_holm, tested.minimum_detectable, tested.more_seeds) == (None, None, None, {})
        assert "single seed" in contrast.sentence
    assert {contrast.num_contrasts for contrast in table.contrasts} == {1}


def test_more_seeds_for_a_planned_look_come_with_the_word_that_their_number_is_fixed_first(
    tmp_path: Path, options: Options
) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 52}, seeds=3)
    for any_look in (True, False):
        (table,) = compare([tmp_path / "s"], replace(options, relevant=7.0, any_look=any_look)).tables
        (contrast,) = table.contrasts
        assert contrast.verdict == "cannot tell"
        assert contrast.sentence.endswith(" per group would tell") == any_look
        assert (" per group, a number fixed before the next look, would tell" in contrast.sentence) != any_look


def test_an_earlier_look_with_fewer_seeds_is_told(tmp_path: Path, options: Options) -> None:
    sweep = write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=4)
    ids = {path.name: json.loads((path / "run.json").read_text())["run_id"] for path in sweep.iterdir()}
    seen = [run_id for name, run_id in ids.items() if name.endswith(("=0", "=1"))]
    look = {"at": "2026-01-31T10:00:00+00:00", "run_ids": sorted(seen)}
    (sweep / "sweep.json").write_text(json.dumps({"looks": [look, {"at": "x", "run_ids": 3}]}))
    (contrast,) = only_table(sweep, replace(options, any_look=False)).contrasts
    assert list(contrast.looks) == [(2, 2)]
    assert "compared before with 2 seeds: with 2 looks the risk of a false verdict is up to 10 %" in contrast.sentence
    told = document(compare([sweep], options))["contrasts"][0]
    assert told["earlier_looks"] == [[2, 2]]


# ---------------------------------------------------------------- who is compared with whom


def test_groups_that_no_test_tells_apart_share_their_ranks(grid: Path, options: Options) -> None:
    table = only_table(grid, options)
    assert [str(table.places[group.name]) for group in table.by_number] == ["1", "2-3", "2-3"]


@pytest.mark.case("nearest_to_the_default")
@pytest.mark.parametrize(
    ("rates", "nearest", "why"),
    [
        ((1e-4, 2.9e-4, 1e-3), 2.9e-4, "the group closest to the default settings"),
        ((1e-4, 3e-4, 1e-3), 3e-4, "the group closest to the default settings"),
        ((1.5e-4, 6e-4), 1.5e-4, "none is closer to the default settings: the first by name"),
    ],
)
def test_the_baseline_is_nearest_by_its_numbers_or_says_so(
    tmp_path: Path, options: Options, rates: tuple[float, ...], nearest: float, why: str
) -> None:
    for lr in rates:
        write_run(tmp_path / "s" / f"{lr}", scores(round(lr * 1e6), 50), changes={"optimizer.lr": lr})
    table = only_table(tmp_path / "s", options)
    assert (table.baseline, table.baseline_reason) == (f"lr={nearest}", why)


@pytest.mark.case("number_of_a_group")
def test_a_number_is_the_same_group_however_the_table_is_sorted(tmp_path: Path, options: Options) -> None:
    for place, (lr, epochs) in enumerate(((1e-4, 1), (2e-4, 2), (4e-4, 3))):
        changes = {"optimizer.lr": lr, "trainer.epochs": epochs}
        run = write_run(tmp_path / "s" / f"{lr}", scores(place, 40 + 20 * (place % 2)), changes=changes)
        edit(run / "summary.json", train_seconds=100.0 - place)
    told = {}
    for sort in (None, "train_seconds"):
        comparison = compare([tmp_path], replace(options, sort=sort))
        table = comparison.tables[0]
        told[sort] = {group.number: group.name for group in table.groups}
        text = printed(comparison)
        header = next(line for line in text.splitlines() if line.startswith("key"))
        rates = next(line for line in text.splitlines() if line.startswith("optimizer.lr "))
        for number, value in zip(header.split()[1:], rates.split()[1:], strict=True):
            assert f"lr={value} " in told[sort][int(number[1:])] + " "
    assert told[None] == told["train_seconds"]


@pytest.mark.case("machines_mixed_in_a_group")
def test_machines_that_differ_inside_a_group_are_told_and_a_cause(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=3)
    other = {"versions": {"torch": "9.9.9"}, "threads": 2}
    for seed in (1, 2):
        (tmp_path / "s" / f"lr=0.001,seed={seed}" / "env.json").write_text(json.dumps(other))
    comparison = compare([tmp_path], options)
    (contrast,) = comparison.tables[0].contrasts
    assert (contrast.single_factor, list(contrast.machines)) == (False, ["versions.torch"])
    text = printed(comparison)
    assert "several keys differ (optimizer.lr, versions.torch): the cause is unclear" in text
    assert "2.13.0 (1 of 3), 9.9.9 (2 of 3)" in text
    for seed in (1, 2):
        (tmp_path / "s" / f"lr=0.0001,seed={seed}" / "env.json").write_text(json.dumps(other))
    comparison = compare([tmp_path], options)
    assert comparison.tables[0].contrasts[0].single_factor
    assert "2.13.0 (1 of 3), 9.9.9 (2 of 3)" in printed(comparison)


@pytest.mark.case("machines_mixed_in_a_group")
def test_two_number_formats_are_told_though_no_config_says_so(tmp_path: Path, options: Options) -> None:
    """`auto` was the word for bf16 on a GPU and for fp32 on a CPU, and env.json alone knows which."""
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=3)
    for value, precision in (("0.0001", "fp32"), ("0.001", "bf16")):
        for seed in range(3):
            edit(tmp_path / "s" / f"lr={value},seed={seed}" / "env.json", device={"precision": precision})
    comparison = compare([tmp_path], options)
    (contrast,) = comparison.tables[0].contrasts
    assert (contrast.single_factor, list(contrast.machines)) == (False, ["device.precision"])
    assert "several keys differ (optimizer.lr, device.precision): the cause is unclear" in printed(comparison)


@pytest.mark.case("a_consequence_told_as_a_second_cause")
def test_the_number_format_that_a_key_asks_for_is_no_cause_of_its_own(tmp_path: Path, options: Options) -> None:
    for precision, mean in (("fp32", 50.0), ("bf16", 75.0)):
        for seed in range(3):
            run = tmp_path / f"{precision}-{seed}"
            write_run(run, scores(seed, mean, 240), changes={"trainer.precision": precision, "seed": seed})
            edit(run / "env.json", device={"precision": precision})
    comparison = compare([tmp_path], options)
    (contrast,) = comparison.tables[0].contrasts
    assert (contrast.single_factor, list(contrast.machines)) == (True, [])
    assert "only trainer.precision differs" in printed(comparison)


@pytest.mark.case("two_words_for_one_format")
def test_two_words_for_one_number_format_are_no_cause(tmp_path: Path, options: Options) -> None:
    """`auto` was fp32 too, and what differs is the attention that came with the word."""
    for precision, attention, mean in (("fp32", "plain", 50.0), ("auto", "unpadded", 75.0)):
        for seed in range(3):
            changes = {"trainer.precision": precision, "trainer.attention": attention, "seed": seed}
            run = write_run(tmp_path / f"{precision}-{seed}", scores(seed, mean, 240), changes=changes)
            edit(run / "env.json", device={"precision": "fp32"})
    assert "only trainer.attention differs" in printed(compare([tmp_path], options))


@pytest.mark.case("limits_of_instructions")
def test_a_limit_on_instructions_is_a_cause(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path, levels={1e-4: 50, 1e-3: 75}, seeds=3)
    for seed in range(3):
        limits = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
        edit(tmp_path / f"lr=0.001,seed={seed}" / "env.json", machine={"cpu_limits": limits})
    (contrast,) = (comparison := compare([tmp_path], options)).tables[0].contrasts
    assert list(contrast.machines) == ["machine.cpu_limits.ONEDNN_MAX_CPU_ISA"]
    assert "optimizer.lr, machine.cpu_limits.ONEDNN_MAX_CPU_ISA" in printed(comparison)


@pytest.mark.case("effects_that_cannot_be_told_apart")
def test_a_key_of_one_choice_belongs_to_that_choice(tmp_path: Path, options: Options) -> None:
    choices = {"AdamW": {"optimizer.eps": 1e-8}, "SGD": {"optimizer.momentum": 0.9}, "Muon": {}}
    for place, (name, more) in enumerate(choices.items()):
        for seed in range(3):
            changes = {"optimizer._target_": name, "seed": seed, **more}
            write_run(tmp_path / "s" / f"{name}{seed}", scores(seed, 30 + 20 * place), changes=changes)
    found = main_effects(only_table(tmp_path / "s", options).groups, "f1")
    assert [effect.key for effect in found.rows] == ["optimizer._target_"] * 3
    assert sum(effect.effect for effect in found.rows) == pytest.approx(0)
    assert list(found.aliased) == []


@pytest.mark.case("effects_that_cannot_be_told_apart")
def test_keys_that_runs_do_not_tell_apart_are_named_and_have_no_effect(tmp_path: Path, options: Options) -> None:
    """The last key is the other two together: 3 + 1 + 1 - 1 columns of which one follows from the rest."""
    plan = {"a": (1, 1, 1), "b": (1, 2, 2), "c": (2, 1, 2), "d": (2, 2, 3)}
    for name, (epochs, length, rate) in plan.items():
        for seed in range(2):
            changes = {"trainer.epochs": epochs, "features.max_length": length, "optimizer.lr": rate, "seed": seed}
            write_run(tmp_path / "s" / f"{name}{seed}", scores(seed + 5 * rate, 50), changes=changes)
    found = main_effects(only_table(tmp_path / "s", options).groups, "f1")
    given = {effect.key for effect in found.rows}
    assert given.isdisjoint(found.aliased)
    assert "optimizer.lr" in found.aliased


# ---------------------------------------------------------------- collapse


@pytest.mark.parametrize("how", ["flag", "at 0", "tuned"])
def test_a_group_that_answers_nothing_has_no_rank_and_no_verdict_anywhere(
    tmp_path: Path, options: Options, how: str
) -> None:
    flag = COLLAPSED if how == "flag" else None
    for seed in range(3):
        good = write_run(tmp_path / "s" / f"a{seed}", scores(seed, 30), changes={"optimizer.lr": 1e-4, "seed": seed})
        bad = write_run(
            tmp_path / "s" / f"b{seed}", scores(seed, 95), changes={"optimizer.lr": 1e-3, "seed": seed}, flags=flag
        )
        if how != "flag":
            half_without_answers(good)
            silence(bad, threshold=-2.0 if how == "tuned" else None)
    comparison = compare([tmp_path], options)
    (table,) = comparison.tables
    group = table.group("lr=0.001")
    assert (group.is_collapsed, table.ranks[group.name], table.baseline) == (True, None, "lr=0.0001")
    told = document(comparison)
    (contrast,) = told["contrasts"]
    assert (contrast["verdict"], contrast["f1"]["p"], contrast["f1"]["minimum_detectable"]) == ("collapsed", None, None)
    assert "3 of 3 runs answer nothing" in contrast["sentence"]
    row = next(row for row in csv_module.DictReader(io.StringIO(paper.csv(comparison))) if row["group"] == group.name)
    assert (row["rank"], row["verdict"]) == ("", "collapsed")
    assert "textbf" not in paper.latex(comparison)
    assert "**" not in paper.markdown(comparison)
    html = page(comparison, figure_data(comparison))
    assert '<span class="verdict collapsed">collapsed</span>' in html
    assert 'class="verdict better"' not in html
    text = printed(comparison)
    assert "collapsed: 3 of 3 runs answer nothing" in text
    assert not re.search(r"\bbetter\b", text)


@pytest.mark.case("collapse_that_answers")
def test_a_run_that_answers_wrongly_throughout_has_not_collapsed(tmp_path: Path, options: Options) -> None:
    run = write_run(tmp_path / "s" / "a", np.zeros(40), summary={"has_ans_f1": 0.0, "no_ans_f1": 100.0})
    silence(run)
    rows = numbers_of(run / "scores.csv")
    for row in rows[:14]:
        row["null_score_diff"] = -3.0
    (run / "scores.csv").write_text(csv_text(rows), "utf-8")
    (group,) = only_table(tmp_path / "s", options).groups
    assert not group.is_collapsed


# ---------------------------------------------------------------- one number, one meaning


@pytest.mark.case("interval_of_tokens_per_second")
def test_ends_stay_inside_what_is_possible_and_are_the_same_everywhere(tmp_path: Path, options: Options) -> None:
    for number, extreme in enumerate((1.0, 50.0, 99.0) * 2):
        changes = {"optimizer.lr": (1e-4, 1e-3)[number // 3], "seed": number % 3}
        summary = {"tokens_per_second": 1000.0 + 90 * (number % 3), "null_threshold": -1.0 - number}
        write_run(tmp_path / "s" / str(number), np.full(240, extreme), changes=changes, summary=summary)
    for metric, bounds in (("crossfit_f1", (0, 100)), ("tokens_per_second", (0, None)), ("null_threshold", None)):
        comparison = compare([tmp_path], replace(options, metric=metric))
        rows = {row["group"]: row for row in csv_module.DictReader(io.StringIO(paper.csv(comparison)))}
        drawn = {row["name"]: row for row in figure_data(comparison)["intervals"]}
        for group in document(comparison)["groups"]:
            found = group["metrics"][metric]
            if bounds is not None:
                assert found["low"] >= bounds[0]
                assert bounds[1] is None or found["high"] <= bounds[1]
            else:
                assert found["low"] < found["mean"] < found["high"]
                assert found["low"] < 0
            assert float(rows[group["name"]][f"{metric}_low"]) == found["low"] == drawn[group["name"]]["low"]
            assert float(rows[group["name"]][f"{metric}_high"]) == found["high"] == drawn[group["name"]]["high"]


@pytest.mark.parametrize("metric", ["train_seconds", "tokens_per_second", "best_f1"])
def test_what_is_not_tested_has_neither_rank_nor_verdict_beside_it(grid: Path, options: Options, metric: str) -> None:
    comparison = compare([grid], replace(options, metric=metric))
    (table,) = comparison.tables
    assert set(table.ranks.values()) == {None}
    told = document(comparison)
    assert {contrast["metric"] for contrast in told["contrasts"]} == {"f1"}
    rows = list(csv_module.DictReader(io.StringIO(paper.csv(comparison))))
    assert {row["verdict"] for row in rows} == {"baseline", ""}
    header = printed(comparison).splitlines()[0]
    assert "verdict" not in header
    assert "rank" not in header
    assert f"{metric} is not tested" in printed(comparison)


def test_answerable_questions_alone_are_tested_for_has_ans_f1(grid: Path, options: Options) -> None:
    comparison = compare([grid], replace(options, metric="has_ans_f1"))
    for contrast in comparison.tables[0].contrasts:
        assert contrast.metric == "has_ans_f1"
        assert contrast.tests["has_ans_f1"].num_questions == 240


def with_test_file(run: Path, f1: np.ndarray) -> None:
    rows = numbers_of(run / "scores.csv")[: len(f1)]
    for row, value in zip(rows, f1, strict=True):
        row |= {"id": f"t{row['id']}", "exact": 100.0 * (value == 100), "f1": value}
        del row["crossfit_f1"], row["crossfit_exact"]
    (run / "test_scores.csv").write_text(csv_text(rows), "utf-8")
    edit(run / "summary.json", test_f1=float(np.mean(f1)), test_exact=float(np.mean(f1 == 100) * 100))


def test_test_f1_is_tested_on_the_test_questions(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 50}, seeds=3)
    for run in (tmp_path / "s").iterdir():
        lr, seed = re.fullmatch(r"lr=(.*),seed=(.)", run.name).groups()  # type: ignore[union-attr]
        with_test_file(run, scores(int(seed), 40 if lr == "0.0001" else 80, 160))
    comparison = compare([tmp_path], replace(options, metric="test_f1"))
    (table,) = comparison.tables
    (contrast,) = table.contrasts
    tested = contrast.tests["test_f1"]
    assert (contrast.metric, contrast.verdict, tested.num_questions) == ("test_f1", "better", 160)
    high, low = (group.metrics["test_f1"].mean for group in table.groups)
    assert abs(tested.difference.difference) == pytest.approx(high - low)


def test_test_f1_without_scores_of_each_question_has_no_verdict(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=2)
    for run in (tmp_path / "s").iterdir():
        edit(run / "summary.json", test_f1=50.0)
    comparison = compare([tmp_path], replace(options, metric="test_f1"))
    assert comparison.tables[0].contrasts[0].metric == "f1"
    assert set(comparison.tables[0].ranks.values()) == {None}


@pytest.mark.case("compare_on_a_small_dev_set")
def test_a_default_metric_that_no_run_can_have_is_replaced_and_told(tmp_path: Path, options: Options) -> None:
    for number in (0, 1):
        run = write_run(tmp_path / "s" / f"{number}", scores(number, 50), changes={"seed": number})
        edit(run / "summary.json", crossfit_f1=None, crossfit_exact=None)
    comparison = compare([tmp_path], options)
    assert comparison.options.metric == "f1"
    assert "crossfit_f1 is null in all runs" in comparison.notes[0]
    assert "crossfit_f1 is null in all runs" in printed(comparison)


# ---------------------------------------------------------------- flips


@pytest.mark.case("flips_of_two_seeds")
def test_one_of_two_runs_is_no_majority(tmp_path: Path, options: Options) -> None:
    right, wrong = np.full(80, 100.0), np.zeros(80)
    for lr, seed, f1 in ((1e-4, 0, wrong), (1e-4, 1, wrong), (1e-3, 0, wrong), (1e-3, 1, right)):
        write_run(tmp_path / "s" / f"{lr}-{seed}", f1, changes={"optimizer.lr": lr, "seed": seed})
    comparison = compare([tmp_path], options)
    table = comparison.tables[0]
    assert flips(table.group("lr=0.0001"), table.group("lr=0.001"), comparison.reader) == []


def test_a_fixed_question_is_shown_with_a_right_answer_and_a_wrong_one(tmp_path: Path, options: Options) -> None:
    right, wrong = np.full(40, 100.0), np.zeros(40)
    runs = {1e-4: (right, wrong, wrong), 1e-3: (wrong, right, right)}
    for lr, several in runs.items():
        for seed, f1 in enumerate(several):
            write_run(tmp_path / "s" / f"{lr}-{seed}", f1, changes={"optimizer.lr": lr, "seed": seed})
    comparison = compare([tmp_path], options)
    table = comparison.tables[0]
    found = flips(table.group("lr=0.0001"), table.group("lr=0.001"), comparison.reader)
    assert len(found) == 40
    for flip in found:
        assert flip.kind == "fixed"
        assert flip.a == "wrong"
        assert flip.b in flip.golds


def test_a_summary_that_was_edited_is_told(tmp_path: Path, options: Options) -> None:
    for seed in range(2):
        run = write_run(tmp_path / "s" / f"{seed}", scores(seed, 50), changes={"seed": seed})
        told = hashlib.sha256((run / "summary.json").read_bytes()).hexdigest()
        edit(run / "run.json", summary_sha256=told)
    assert compare([tmp_path], options).doubt is None
    edit(run / "summary.json", f1=99.0)
    comparison = compare([tmp_path], options)
    assert "summary.json is not the one that was written in 1 run of 2, first in 1" in printed(comparison)
    assert document(comparison)["notes"] == [comparison.doubt]


def vouch(run: Path, name: str) -> None:
    """Give a run a manifest that vouches for one of its files, as it is now."""
    content = (run / name).read_bytes()
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (run / "MANIFEST.json").write_text(json.dumps({"schema_version": 1, "files": {name: entry}}))


def test_a_config_that_was_edited_is_told(tmp_path: Path, options: Options) -> None:
    for seed in range(2):
        run = write_run(tmp_path / "s" / f"{seed}", scores(seed, 50), changes={"seed": seed})
        vouch(run, "config.json")
    assert compare([tmp_path], options).doubt is None
    edit(run / "config.json", optimizer={"lr": 0.003})
    comparison = compare([tmp_path], options)
    told = "config.json is not the one that was written in 1 run of 2, first in 1, so settings may be shown wrongly"
    assert told in printed(comparison)
    assert document(comparison)["notes"] == [comparison.doubt]
    assert best_run([run], options)[1] == [
        f"{run}: config.json is not the one that the run wrote; qaexp verify shows what differs"
    ]
    (run / "MANIFEST.json").unlink()
    assert compare([tmp_path], options).doubt is None


@pytest.mark.case("p_holm_of_exact")
def test_one_p_value_has_one_name_in_json_page_and_sentence(tmp_path: Path, options: Options) -> None:
    """McNemar's is reported, that over clusters judges: both are in the JSON, the page shows the one that judges."""
    for lr, mean in ((1e-4, 50), (1e-3, 62)):
        write_run(tmp_path / "s" / f"{lr}", scores(round(mean), mean), changes={"optimizer.lr": lr})
    comparison = compare([tmp_path], replace(options, metric="exact"))
    (contrast,) = document(comparison)["contrasts"]
    exact = contrast["exact"]
    binomial = stats.binomtest(exact["mcnemar_b"], exact["mcnemar_b"] + exact["mcnemar_c"])
    assert exact["p"] == exact["p_holm"] == pytest.approx(binomial.pvalue)
    assert contrast["p_verdict"] == exact["p_clusters_holm"]
    assert exact["p_clusters"] != pytest.approx(exact["p"], rel=1e-3)
    told = "&lt; 0.001" if contrast["p_verdict"] < 0.001 else f"{contrast['p_verdict']:.3f}"
    assert f'<td class="n nobreak">{told}</td>' in page(comparison, figure_data(comparison))
    assert told.replace("&lt;", "<") in contrast["sentence"]


def test_scores_that_were_edited_are_told(tmp_path: Path, options: Options) -> None:
    """Their mean may stay what it was, and with it the summary."""
    for seed in range(2):
        run = write_run(tmp_path / "s" / f"{seed}", scores(seed, 50), changes={"seed": seed})
        vouch(run, "scores.csv")
    assert compare([tmp_path], options).doubt is None
    first, second, third, *rest = (run / "scores.csv").read_text().splitlines()
    (run / "scores.csv").write_text("\n".join([first, third, second, *rest, ""]))
    comparison = compare([tmp_path], options)
    told = "scores.csv is not the one that was written in 1 run of 2, first in 1, so verdicts may be wrong"
    assert told in printed(comparison)
    assert document(comparison)["notes"] == [comparison.doubt]
    assert best_run([run], options)[1] == [
        f"{run}: scores.csv is not the one that the run wrote; qaexp verify shows what differs"
    ]
