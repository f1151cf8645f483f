"""`sweep=optuna`: trials are drawn, repeated over seeds, counted over every start, and given up where that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qaexp.errors import ConfigError
from tests.fixtures import tiny_run

pytest.importorskip("optuna")
from qaexp.sweeps.optuna.space import read_space
from qaexp.sweeps.optuna.study import Search

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1", "threads=1")
RATE = "optimizer.lr=tag(log,interval(1e-4,1e-2))"


def search(folder: Path, name: str, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", "sweep=optuna", f"name={name}", *WORDS, *words)


def told(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "multirun_outputs" / name / "sweep.json").read_text("utf-8"))
    return found


def test_a_space_has_ranges_choices_and_repeats() -> None:
    lines = ["a=1", RATE, "b=1,2", "c=range(1,9,2)", "d=int(interval(1,3))", "seed=0,1", "seeds.init=5,6"]
    space = read_space(lines)
    kinds = {key: type(one).__name__ for key, one in space.distributions.items()}
    assert kinds == {
        "optimizer.lr": "FloatDistribution",
        "b": "CategoricalDistribution",
        "c": "IntDistribution",
        "d": "IntDistribution",
    }
    assert len(space.repeats) == 4
    jobs = space.jobs({"optimizer.lr": 0.000123456, "b": "2", "c": 3, "d": 1})
    assert jobs[1][1] == ("optimizer.lr=0.0001235", "b=2", "c=3", "d=1", "seed=0", "seeds.init=6")
    assert jobs[1][0][0] == "a=1"
    assert [corner["b"] for corner in space.corners()] == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "says"),
    [("seed=interval(0,9)", "repeat"), ("a=1", "nothing to search"), ("optimizer.lr=interval(2.0,1.0)", "low")],
)
def test_what_cannot_be_searched_is_refused(line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_space([line])


def test_a_search_is_counted_over_its_starts(tmp_path: Path) -> None:
    dry = search(tmp_path, "s", "sweep.dry_run=true")
    assert (dry.code, "20 trials of 2 jobs each" in dry.out) == (0, True), dry.err
    assert not (tmp_path / "multirun_outputs").exists()
    first = search(tmp_path, "s", RATE, "hydra.sweeper.num_trials=2")
    assert first.code == 0, first.err
    assert [trial["state"] for trial in told(tmp_path, "s")["trials"]] == ["complete"] * 2
    drawn = [trial["params"] for trial in told(tmp_path, "s")["trials"]]
    more = search(tmp_path, "s", RATE, "hydra.sweeper.num_trials=3")
    assert more.code == 0, more.err
    found = told(tmp_path, "s")
    assert [trial["params"] for trial in found["trials"]][:2] == drawn
    assert len(found["trials"]) == 3
    assert [group["n"] for group in found["groups"]] == [2, 2, 2]
    # The objective is the mean over the seeds.
    means = {round(group["metrics"]["crossfit_f1"]["mean"], 6) for group in found["groups"]}
    assert {round(trial["values"][0], 6) for trial in found["trials"]} == means
    # A search of the same seed that nobody stopped draws the same.
    assert search(tmp_path, "whole", RATE, "hydra.sweeper.num_trials=3").code == 0
    assert told(tmp_path, "whole")["trials"] == found["trials"]
    pictures = sorted(path.name for path in (tmp_path / "multirun_outputs" / "s" / "plots").iterdir())
    assert "history_crossfit_f1.png" in pictures
    assert "parallel_crossfit_f1.png" in pictures


def test_a_stopped_search_goes_on_from_its_folder(tmp_path: Path) -> None:
    """By `qaexp resume`, from anywhere; its trials are counted over both, and drawn as if nothing had happened."""
    words = (RATE, "seed=0", "hydra.sweeper.num_trials=2")
    assert search(tmp_path, "s", *words).code == 0
    folder = tmp_path / "multirun_outputs" / "s"
    plan = json.loads((folder / "plan.json").read_text())
    plan["command_line"] = [word.replace("num_trials=2", "num_trials=3") for word in plan["command_line"]]
    (folder / "plan.json").write_text(json.dumps(plan))
    moved = tmp_path / "it's moved"
    folder.rename(moved)
    done = tiny_run.call(tmp_path, "resume", str(moved))
    assert done.code == 0, done.err
    found = json.loads((moved / "sweep.json").read_text())
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    assert not folder.exists()
    assert json.loads((moved / "plan.json").read_text())["command_line"] == plan["command_line"]
    # Of an older qaexp there is no plan, and the runs know the command: nothing is left to do.
    (moved / "plan.json").unlink()
    again = tiny_run.call(tmp_path, "resume", str(moved), "steal_lock=true")
    assert (again.code, "goes on by its command: qaexp train sweep=optuna" in again.out) == (0, True), again.err
    assert tiny_run.call(tmp_path, "resume", str(moved), "optimizer.lr=1").code == 2
    for line, says in ((["qaexp", "train", "name=<redacted>"], "held a secret"), ("train", "no command")):
        (moved / "plan.json").write_text(json.dumps({**plan, "command_line": line}))
        refused = tiny_run.call(tmp_path, "resume", str(moved))
        assert (refused.code in (2, 8), says in refused.last_line) == (True, True), refused.err


def test_two_objectives(tmp_path: Path) -> None:
    words = (RATE, "seed=0", "hydra.sweeper.num_trials=2", "+hydra.sweeper.objectives.train_seconds=minimize")
    done = search(tmp_path, "two", *words)
    assert done.code == 0, done.err
    assert all(len(trial["values"]) == 2 for trial in told(tmp_path, "two")["trials"])
    other = search(tmp_path, "two", RATE, "seed=0", "hydra.sweeper.num_trials=2")
    assert (other.code, "other objectives" in other.last_line) == (2, True)


def test_a_wrong_end_of_a_range_is_found_before_anything_starts(tmp_path: Path) -> None:
    for words in (
        ("schedule.warmup_ratio=interval(0.0,1.5)",),
        ("hydra.sweeper.num_trials=0",),
        ("+hydra.sweeper.objectives.loss=minimize",),
        ("hydra.sweeper.objectives.crossfit_f1=up",),
    ):
        done = search(tmp_path, "w", *words)
        assert done.code == 2, (words, done.err)
        assert not (tmp_path / "multirun_outputs").exists()


def open_search(folder: Path, **changes: Any) -> Search:
    keywords: dict[str, Any] = {"num_trials": 8, "seed": 0, "is_pruning": True, **changes}
    return Search(folder, read_space([RATE]).distributions, {"crossfit_f1": "maximize"}, **keywords)


def test_a_trial_below_the_median_is_given_up(tmp_path: Path) -> None:
    study = open_search(tmp_path)
    for f1 in (50.0, 60.0, 70.0, 80.0, 90.0):
        trial = study.ask()
        trial.report(f1, 1)
        study.tell(trial, [{"crossfit_f1": f1}])
    good, bad = study.ask(), study.ask()
    good.report(85.0, 1)
    bad.report(10.0, 1)
    assert (good.should_prune(), bad.should_prune()) == (False, True)
    study.tell(bad, [None], is_pruned=True)
    assert [row["state"] for row in study.rows()].count("pruned") == 1
    assert study.num_left == 2
    assert open_search(tmp_path, is_pruning=False).ask().should_prune() is False


def test_a_failed_repeat_fails_the_trial(tmp_path: Path) -> None:
    study = open_search(tmp_path)
    study.tell(study.ask(), [{"crossfit_f1": 1.0}, None])
    assert [row["state"] for row in study.rows()] == ["fail"]
    assert study.num_left == 7


def test_trials_are_given_up_at_an_epochs_end_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a pruner that gives up whatever it may: both trials are long, end early, and are told as pruned."""
    import optuna

    def hard(n_startup_trials: int) -> optuna.pruners.BasePruner:
        assert n_startup_trials == 5
        return optuna.pruners.ThresholdPruner(lower=1000.0)

    monkeypatch.setattr(optuna.pruners, "MedianPruner", hard)
    words = (RATE, "seed=0,1", "hydra.sweeper.num_trials=2", "trainer.epochs=100000", "hydra.launcher.jobs=2")
    done = search(tmp_path, "p", *words)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    found = told(tmp_path, "p")
    assert [trial["state"] for trial in found["trials"]] == ["pruned", "pruned"]
    assert len(found["jobs"]) == 4
    for job in found["jobs"]:
        folder = tmp_path / "multirun_outputs" / "p" / job["path"]
        assert not (folder / "summary.json").exists()
        assert job["state"] != "completed"
    # Pruned trials count: nothing is left to do.
    again = search(tmp_path, "p", *words)
    assert again.code == 0
    assert len(told(tmp_path, "p")["trials"]) == 2
