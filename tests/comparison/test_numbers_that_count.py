"""Which numbers and runs count: the same ones in the headline, the means, the tests and every output."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison.best import best_run
from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.shown import paper
from qaexp.comparison.shown.document import document
from qaexp.errors import ConfigError
from tests.comparison.test_statements import printed
from tests.fixtures.compared import edit, scores, write_grid, write_run

MEAN = float(scores(1, 75, 120).mean())
GIVEN = f"scores.csv gives {MEAN:.2f}"
# Name to the value in summary.json, and how it is told.
BAD: dict[str, tuple[Any, str]] = {
    "above": (500, f"has no crossfit_f1 that counts: summary.json says crossfit_f1 500.00, {GIVEN}"),
    "below": (-3.5, f"has no crossfit_f1 that counts: summary.json says crossfit_f1 -3.50, {GIVEN}"),
    "refuted": (99.0, f"has no crossfit_f1 that counts: summary.json says crossfit_f1 99.00, {GIVEN}"),
    "a share": (MEAN / 100, f"crossfit_f1 {MEAN / 100:.2f}, {GIVEN}"),
    "text": (f"{MEAN:.2f}", f"says crossfit_f1 '{MEAN:.2f}', which is not a number"),
    "truth": (True, "says crossfit_f1 true, which is not a number"),
    "list": ([MEAN], "which is not a number"),
    "nan": (float("nan"), "says crossfit_f1 nan, which is not a number"),
    "infinite": (float("inf"), "says crossfit_f1 inf, which is not a number"),
    "null": (None, "has no crossfit_f1: summary.json holds no value of it"),
}


def told(comparison: Comparison) -> dict[str, Any]:
    """All that is said of the runs that count, in every form."""
    found = {key: value for key, value in document(comparison).items() if key not in ("notes", "skipped", "runs")}
    outputs = paper.markdown(comparison), paper.latex(comparison), paper.csv(comparison)
    return {**found, "outputs": outputs}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two rates with three seeds, the same without one run, and that run."""
    path = tmp_path_factory.mktemp("values") / "sweep"
    write_grid(path, levels={1e-4: 50, 1e-3: 75}, seeds=3, num=120)
    return path, path / "lr=0.001,seed=1"


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_is_no_observation_counts_nowhere_and_is_told(
    tmp_path: Path, options: Options, sweeps: tuple[Path, Path], case: str
) -> None:
    """Everything is as if the run were not there: `leads by 168.0 f1` cannot stand above its own refutation."""
    whole, run = sweeps
    value, reason = BAD[case]
    copied = shutil.copytree(whole, tmp_path / "sweep")
    edit(copied / run.name / "summary.json", crossfit_f1=value)
    comparison = compare([copied], options)
    shutil.rmtree(shutil.move(copied / run.name, tmp_path / "away"))
    assert told(comparison) == told(compare([copied], options))
    assert [group.n for group in comparison.tables[0].groups] == [2, 3]
    ((path, why),) = comparison.skipped
    assert (path, reason in why) == (copied / run.name, True)
    assert any(run.name in note and reason in note for note in comparison.notes)
    assert run.name in printed(comparison)


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        ("f1", 0.5, "summary.json says f1 0.50, scores.csv gives"),
        ("exact", 101, "summary.json says exact 101.00, scores.csv gives"),
        ("has_ans_f1", 12.0, "summary.json says has_ans_f1 12.00, scores.csv gives"),
        ("best_f1", 100.5, "summary.json says best_f1 100.5, which is not from 0 to 100"),
        ("train_seconds", -1.0, "summary.json says train_seconds -1.0, which is not from 0 to 1e+100"),
        ("train_seconds", 1e308, "summary.json says train_seconds 1e308, which is not from 0 to 1e+100"),
        ("tokens_per_second", "1,500", "says tokens_per_second '1,500', which is not a number"),
        ("train_seconds", None, "holds no value of it"),
    ],
)
def test_whatever_the_metric_means_and_tests_are_over_the_same_runs(
    tmp_path: Path, options: Options, sweeps: tuple[Path, Path], metric: str, value: Any, reason: str
) -> None:
    whole, run = sweeps
    copied = shutil.copytree(whole, tmp_path / "sweep")
    edit(copied / run.name / "summary.json", **{metric: value})
    by_metric = compare([copied], replace(options, metric=metric))
    assert reason in by_metric.skipped[0][1]
    other = compare([copied], options)
    assert not other.skipped  # its own metric is right
    group = other.tables[0].group("lr=0.001")
    assert (group.n, group.metrics[metric].n) == (3, 2)
    assert metric not in other.tables[0].contrasts[0].tests
    is_shown = metric in ("f1", "exact", "has_ans_f1")
    assert (f"{metric} is over 2 of its 3 runs" in printed(other)) == is_shown
    shutil.rmtree(copied / run.name)
    assert told(by_metric) == told(compare([copied], replace(options, metric=metric)))


def test_a_test_set_refutes_too(tmp_path: Path, options: Options) -> None:
    for seed in range(3):
        run = write_run(tmp_path / "s" / str(seed), scores(seed, 60, 48), changes={"seed": seed})
        shutil.copy(run / "scores.csv", run / "test_scores.csv")
        edit(run / "summary.json", test_f1=json.loads((run / "summary.json").read_text())["f1"] + (seed == 2))
    comparison = compare([tmp_path], replace(options, metric="test_f1"))
    assert [(path.name, "test_scores.csv gives" in why) for path, why in comparison.skipped] == [("2", True)]
    (run / "test_scores.csv").write_text("no table")
    assert "cannot be read" in compare([tmp_path], replace(options, metric="test_f1")).skipped[0][1]
    assert not compare([tmp_path], options).skipped


def test_two_digits_of_a_score_are_the_same_score(tmp_path: Path, options: Options, sweeps: tuple[Path, Path]) -> None:
    whole, run = sweeps
    copied = shutil.copytree(whole, tmp_path / "sweep")
    edit(copied / run.name / "summary.json", crossfit_f1=round(MEAN, 2) + 0.003)
    comparison = compare([copied], options)
    assert comparison.tables[0].group("lr=0.001").metrics["crossfit_f1"].n == 3
    assert "summary.json says crossfit_f1" in printed(comparison)


def test_a_setting_whose_runs_all_lack_the_metric_is_shown_without_verdict(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 3e-4: 52, 1e-3: 75}, seeds=2, num=48)
    for seed in (0, 1):
        edit(tmp_path / "s" / f"lr=0.0001,seed={seed}" / "summary.json", crossfit_f1=300.0)
    comparison = compare([tmp_path], options)
    (table,) = comparison.tables
    assert [(one.a, one.b, one.metric) for one in table.contrasts] == [("lr=0.0003", "lr=0.001", "crossfit_f1")]
    assert table.places["lr=0.0001"] is None
    assert "#3: lr=0.0001,seed=0 has no crossfit_f1 that counts: summary.json says crossfit_f1 300.00" in printed(
        comparison
    )
    with pytest.raises(ConfigError, match=r"--baseline lr=0\.0001: no run of lr=0\.0001 has a crossfit_f1 that counts"):
        compare([tmp_path], replace(options, baseline="lr=0.0001"))
    assert "300" not in "".join([*document(comparison)["findings"], paper.csv(comparison), paper.markdown(comparison)])


def test_a_number_that_only_one_setting_has_is_no_lead(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=2, num=48)
    for seed in (0, 1):
        edit(tmp_path / "s" / f"lr=0.001,seed={seed}" / "summary.json", crossfit_f1=None)
    assert document(compare([tmp_path], options))["findings"][0].startswith("Only lr=0.0001 has crossfit_f1 (")


def test_where_no_value_counts_the_reason_is_said(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 1e-3: 75}, seeds=2, num=48)
    for run in (tmp_path / "s").iterdir():
        edit(run / "summary.json", crossfit_f1=300.0, has_ans_f1=-1.0)
    comparison = compare([tmp_path], options)
    assert comparison.notes[0].startswith("crossfit_f1 counts in no run (lr=0.0001,seed=0: summary.json says ")
    assert comparison.options.metric == "f1"
    with pytest.raises(ConfigError, match="has_ans_f1: it counts in no run"):
        compare([tmp_path], replace(options, metric="has_ans_f1"))


def test_a_repeat_that_counts_takes_the_place_of_one_that_does_not(
    tmp_path: Path, options: Options, sweeps: tuple[Path, Path]
) -> None:
    whole, run = sweeps
    for name in ("sweep", "sweep2"):
        shutil.copytree(whole, tmp_path / name)
    edit(tmp_path / "sweep" / run.name / "summary.json", crossfit_f1=1.0)
    comparison = compare([tmp_path], options)
    assert [group.n for group in comparison.tables[0].groups] == [3, 3]
    used = [entry.run.path for entry in comparison.tables[0].group("lr=0.001").entries]
    assert tmp_path / "sweep2" / run.name in used


def test_the_best_run_is_none_whose_number_is_refuted(
    tmp_path: Path, options: Options, sweeps: tuple[Path, Path]
) -> None:
    whole, run = sweeps
    copied = shutil.copytree(whole, tmp_path / "sweep")
    edit(copied / run.name / "summary.json", crossfit_f1=99.9)
    path, notes = best_run([copied], options)
    assert path.name != run.name
    assert any("1 run passed over" in note and "scores.csv gives" in note for note in notes)
