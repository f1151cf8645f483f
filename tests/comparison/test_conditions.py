"""`--where` and `--by`: choices, the ends of keys, lists, notes and tags, and mistakes that are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison.compare import Options, compare
from qaexp.comparison.selection import where
from qaexp.comparison.shown.document import document
from qaexp.errors import ConfigError
from qaexp.runs.readers.collect import RunFiles, collect
from qaexp.runs.readers.frame import load_runs
from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, scores, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two optimizers, three rates, two seeds; notes on one of them, an older run without any."""
    path = tmp_path_factory.mktemp("where")
    for place, (optimizer, lr) in enumerate((("adamw", 1e-4), ("adamw", 1e-3), ("sgd", 1e-2))):
        for seed in (0, 1):
            labels: dict[str, Any] = {}
            if place == 0:
                labels = {"tags": ["paper", "best one"], "notes": "The long Run, or not", "group": "a"}
            changes = {"optimizer._target_": optimizer, "optimizer.lr": lr, "seed": seed, **labels}
            run = write_run(path / f"{optimizer}{lr}{seed}", scores(seed, 40 + 10 * place, 40), changes=changes)
            edit(run / "env.json", choices={"optimizer": optimizer}, overrides=[f"optimizer={optimizer}"])
    return path


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[RunFiles]:
    return collect(folder).runs


@pytest.mark.parametrize(
    ("condition", "num"),
    [
        ("lr in 1e-4,1e-3", 4),
        ("lr in [0.0001, 0.01]", 4),
        ("optimizer.lr IN (1e-2)", 2),
        ("optimizer=sgd", 2),
        ("optimizer in adamw,sgd", 6),
        ("optimizer!=sgd", 4),
        ("lr<1e-3 or optimizer=sgd", 4),
        ("lr<1e-3 or optimizer=sgd and seed=1", 3),
        ("optimizer=adamw and lr>=1e-3", 2),
        ("tags=paper", 2),
        ("tags!=paper", 4),
        ("tags='best one'", 2),
        ("tags in other,paper", 2),
        ("tags~pap", 2),
        ("notes~run", 2),
        ("notes~'run, or not'", 2),
        ("group=a", 2),
        ("group=null", 4),
        ("group!=a", 4),
        ("crossfit_f1>=0", 6),
        ("seed=1", 3),
    ],
)
def test_conditions_keep_what_they_say(runs: list[RunFiles], condition: str, num: int) -> None:
    kept, left_out = where(runs, [condition])
    assert (len(kept), len(left_out)) == (num, 6 - num)


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        (["lr>1"], "none of the 6 runs meets this; optimizer.lr is 0.0001, 0.001, 0.01"),
        (["tags=nobody"], "none of the 6 runs meets this; tags is "),
        (["seed=0", "seed=1"], "--where seed=0 --where seed=1: none of the 6 runs meets this"),
        (["lrr=1"], "no run has the key lrr; did you mean optimizer.lr?"),
        (["init=1 or"], "--where 'init=1 or'"),
        (["or"], "--where 'or'"),
        (["lr"], "'lr in 1e-3,1e-4'"),
        (["lr=1 or nonsense~1"], "no run has the key nonsense"),
    ],
)
def test_conditions_that_keep_nothing_or_are_none_are_refused(
    runs: list[RunFiles], conditions: list[str], says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        where(runs, conditions)
    assert says in str(refused.value)


def test_a_key_that_may_be_several_is_asked_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", scores(0, 50, 40), changes={"optimizer.size": 1, "schedule.size": 2})
    with pytest.raises(ConfigError, match=r"size may be optimizer\.size, schedule\.size; give more of the key"):
        where(collect(run).runs, ["size=1"])


@pytest.mark.parametrize(
    ("by", "names"), [("lr", {"lr=0.0001", "lr=0.001", "lr=0.01"}), ("seed", {"seed=0", "seed=1"})]
)
def test_groups_are_formed_by_the_end_of_a_key(folder: Path, options: Options, by: str, names: set[str]) -> None:
    (table,) = compare([folder], replace(options, by=by)).tables
    assert {group.name for group in table.groups} == names


def test_groups_are_formed_by_a_choice(folder: Path, options: Options) -> None:
    (table,) = compare([folder], replace(options, by="optimizer")).tables
    assert {group.name for group in table.groups} == {"optimizer=adamw", "optimizer=sgd"}
    assert table.baseline == "optimizer=adamw"
    (contrast,) = table.contrasts
    assert "optimizer" in contrast.factors
    assert "optimizer._target_" not in contrast.factors


def test_a_key_that_all_runs_share_names_the_only_group(folder: Path, options: Options) -> None:
    comparison = compare([folder], replace(options, by="optimizer", where=("optimizer=sgd",)))
    assert [group.name for group in comparison.tables[0].groups] == ["optimizer=sgd"]
    assert document(comparison)["findings"][0].startswith("Both runs have optimizer=sgd, with crossfit_f1 ")


@pytest.mark.parametrize(("by", "says"), [("lrr", "did you mean optimizer.lr?"), ("nothing.at.all", "no run has the")])
def test_a_key_to_group_by_that_no_run_has_is_named(folder: Path, options: Options, by: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compare([folder], replace(options, by=by))
    assert says in str(refused.value)


def test_notes_are_columns_of_the_frame_with_defaults_for_older_runs(folder: Path) -> None:
    rows = load_runs(folder).sort_values(["optimizer.lr", "seed"])
    assert rows["tags"].tolist()[:3] == [["paper", "best one"], ["paper", "best one"], []]
    assert rows["notes"].tolist()[2] == ""
    assert rows["group"].isna().tolist() == [False, False, True, True, True, True]


def test_a_list_is_told_by_what_it_holds(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"none of the 6 runs meets this; tags is \[\], \[paper, best one\]"):
        where(collect(folder).runs, ["tags=draft"])


def test_flags_are_told_and_found(tmp_path: Path) -> None:
    for seed, flags in enumerate((["overfit_gap", "gradient_explosion"], ["overfit_gap"], [])):
        raised = [{"name": name, "step": 1, "advice": "x"} for name in flags]
        write_run(tmp_path / str(seed), scores(seed, 50, 40), changes={"seed": seed}, flags=raised)
    runs = collect(tmp_path).runs
    assert [run.path.name for run in where(runs, ["flags=overfit_gap"])[0]] == ["0", "1"]
    assert [run.path.name for run in where(runs, ["flags!=overfit_gap"])[0]] == ["2"]
    told = r"flags is \[\], \[overfit_gap, gradient_explosion\], \[overfit_gap\]"
    with pytest.raises(ConfigError, match=told):
        where(runs, ["flags=null_collapse"])


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("inf", "inf is not finite"),
        ("nan", "nan is not finite"),
        ("1e999", "1e999 is not finite"),
        ("-1", "-1 is below 0"),
    ],
)
def test_a_number_that_is_not_finite_is_not_called_too_small(folder: Path, number: str, says: str) -> None:
    done = tiny_run.call(folder, "compare", ".", "--relevant", number)
    assert (done.code, done.out) == (2, "")
    assert f"argument --relevant: {says}" in done.err


def test_more_points_than_scores_can_be_apart_are_refused(folder: Path) -> None:
    done = tiny_run.call(folder, "compare", ".", "--relevant", "200")
    assert (done.code, done.out) == (2, "")
    assert "--relevant 200: two scores are never more than 100 points apart" in done.err


@pytest.mark.parametrize("file", ["scores.csv", "data.json"])
def test_what_is_missing_or_damaged_in_a_run_is_told_without_its_name_twice(
    tmp_path: Path, options: Options, file: str
) -> None:
    for seed in (0, 1):
        run = write_run(tmp_path / f"r{seed}", scores(seed, 50, 40), changes={"seed": seed})
    (run / file).unlink() if file == "scores.csv" else (run / file).write_text("{")
    ((path, reason),) = compare([tmp_path], options).skipped
    assert path == run
    assert reason.startswith(f"{file} is missing" if file == "scores.csv" else f"{file}: not JSON")
