"""Main effects carry a verdict of their own, by the test that the headline goes by: the two never contradict."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.effect_tests import effects_sentence, judged
from qaexp.comparison.main_effects import main_effects
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.report import page
from tests.fixtures.compared import scores, write_run

EPOCHS = (1, 2)


def grid(folder: Path, means: dict[float, float], seeds: int = 3, epochs: tuple[int, ...] = EPOCHS) -> Path:
    """Rates with the f1 aimed at, by epochs that do nothing, by seeds."""
    for lr, mean in means.items():
        for epoch in epochs:
            for seed in range(seeds):
                changes = {"optimizer.lr": lr, "trainer.epochs": epoch, "seed": seed}
                write_run(folder / f"{lr} {epoch} {seed}", scores(seed, mean + epoch, 120), changes=changes)
    return folder


def verdicts(comparison: Comparison) -> dict[tuple[str, str], str | None]:
    return {(row["key"], row["value"]): row["verdict"] for row in figure_data(comparison)["effects"]}


def test_where_nothing_does_anything_no_effect_is_filled(tmp_path: Path, options: Options) -> None:
    """Three by three settings that are all alike: some of nine effects is far from 0 by chance, and not shown."""
    comparison = compare([grid(tmp_path, {1e-4: 50.1, 1e-3: 50.2, 1e-2: 50.3}, epochs=(0, 1, 2))], options)
    assert document(comparison)["findings"][0].startswith("No setting is shown to be better")
    assert set(verdicts(comparison).values()) == {"not shown"}
    data = figure_data(comparison)
    assert all(row["low"] < 0 < row["high"] for row in data["effects"])
    assert data["effects_told"].endswith("None is shown to differ from 0.")
    assert "None is shown to differ from 0." in page(comparison, data)


def test_an_effect_that_is_shown_says_that_it_is_about_the_mean_over_settings(tmp_path: Path, options: Options) -> None:
    comparison = compare([grid(tmp_path, {1e-4: 48, 1e-3: 62})], options)
    found = verdicts(comparison)
    assert found["lr", "0.001"] == "above"
    assert found["lr", "0.0001"] == "below"
    assert {word for (key, _), word in found.items() if key == "epochs"} == {"not shown"}
    said = figure_data(comparison)["effects_told"]
    assert "Shown (filled) on average over the other settings, which says nothing about each single one: lr" in said
    for row in figure_data(comparison)["effects"]:
        assert (row["low"] > 0 or row["high"] < 0) == (row["p"] <= 0.05) == (row["verdict"] != "not shown")


def test_the_effect_of_two_groups_is_their_contrast(tmp_path: Path, options: Options) -> None:
    comparison = compare([grid(tmp_path, {1e-4: 48, 1e-3: 55}, epochs=(1,))], options)
    (contrast,) = comparison.tables[0].contrasts
    tested = contrast.tests[contrast.metric]
    for row in figure_data(comparison)["effects"]:
        assert row["p"] == pytest.approx(tested.p_verdict)
        assert row["high"] - row["low"] == pytest.approx(((tested.high or 0) - (tested.low or 0)) / 2)


@pytest.mark.parametrize("case", ["a hole", "other seeds", "a setting that is not there"])
def test_what_is_no_whole_grid_is_not_tested_and_has_no_interval(tmp_path: Path, options: Options, case: str) -> None:
    folder = grid(tmp_path / "s", {1e-4: 48, 1e-3: 62})
    if case == "other seeds":
        shutil.rmtree(folder / "0.001 2 2")
        changes = {"optimizer.lr": 1e-3, "trainer.epochs": 2, "seed": 9}
        write_run(folder / "nine", scores(9, 62, 120), changes=changes)
    for seed in range(3) if case.startswith("a setting") else (2,) if case == "a hole" else ():
        shutil.rmtree(folder / f"0.001 2 {seed}")
    comparison = compare([folder], options)
    rows = figure_data(comparison)["effects"]
    assert {(row["low"], row["high"], row["p"], row["verdict"]) for row in rows} == {(None, None, None, None)}
    assert figure_data(comparison)["effects_told"].startswith("Nothing is tested and no interval is given")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"metric": "train_seconds"}, "train_seconds is not tested: bars are 95 % intervals over seeds alone"),
        ({"where": ("seed=0",)}, "over clusters of questions, of these seeds alone, as wide as"),
        ({"by": "seed"}, ""),
        ({"by": "lr", "any_look": False}, "Shown (filled): lr = 0.001"),
    ],
    ids=str,
)
def test_what_the_effects_are_about_is_said(tmp_path: Path, options: Options, more: dict[str, Any], says: str) -> None:
    comparison = compare([grid(tmp_path, {1e-4: 48, 1e-3: 62})], replace(options, **more))
    data = figure_data(comparison)
    assert says in data["effects_told"]
    assert bool(data["effects"]) == bool(says)
    table = comparison.tables[0]
    if more == {"metric": "train_seconds"}:
        assert {row["verdict"] for row in data["effects"]} == {None}
    effects = main_effects(table.groups, comparison.options.metric)
    any_look = comparison.options.any_look
    found = judged(effects, table.groups, comparison.options.metric, comparison.reader, any_look=any_look)
    assert len(found) == len(effects.rows)
    assert effects_sentence(effects, [], table.groups, comparison.options.metric, []) == ""
