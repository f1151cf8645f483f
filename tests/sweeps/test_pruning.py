"""A search gives trials up by its own objective, in its own direction, and says truly why."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.metrics import NUMBERS
from qaexp.sweeps.optuna.pruning import ended_epochs, given_up, odd_ways, watched_number
from qaexp.sweeps.outcome import COMPLETED, FAILED, PREEMPTED, PRUNED, Outcome
from tests.fixtures import tiny_run

pytest.importorskip("optuna")
from qaexp.sweeps.optuna.judge import Judge
from qaexp.sweeps.optuna.space import read_space
from qaexp.sweeps.optuna.study import Search
from tests.sweeps.test_plan import planned

RATE = "optimizer.lr=tag(log,interval(1e-4,1e-2))"
WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1", "threads=1", "seed=0")
OWN = (
    "gold_nll",
    "train_loss",
    "train_accuracy",
    "exact",
    "f1",
    "has_ans_exact",
    "has_ans_f1",
    "no_ans_exact",
    "no_ans_f1",
)
STAND_INS = {
    "crossfit_f1": "f1",
    "best_f1": "f1",
    "best_epoch_f1": "f1",
    "crossfit_exact": "exact",
    "best_exact": "exact",
}


def opened(folder: Path, objectives: dict[str, str], *, is_pruning: bool = True) -> Search:
    distributions = read_space([RATE]).distributions
    return Search(folder, distributions, objectives, num_trials=20, seed=0, is_pruning=is_pruning)


def begun(search: Search, name: str, values: list[float]) -> None:
    """Completed trials with these values after their first epoch and at their end."""
    for value in values:
        trial = search.ask()
        assert search.report(trial, 1, value) is None
        assert search.tell(trial, [{name: value}]) is None


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_is_watched_by_itself_by_a_stand_in_or_not_at_all(name: str) -> None:
    for way in ("maximize", "minimize"):
        found, why = watched_number({name: way})
        metric = name if name in OWN else STAND_INS.get(name) if way == "maximize" else None
        assert (found.metric if found else None) == metric
        assert found is None or (found.way, found.objective, why) == (way, name, "")
        assert found is not None or f"{name} has no value per epoch" in why


@pytest.mark.case("search_that_minimises")
@pytest.mark.parametrize(
    ("name", "way", "good", "bad"),
    [
        ("train_loss", "minimize", 1.5, 5.5),
        ("train_loss", "maximize", 5.5, 1.5),
        ("f1", "minimize", 3.0, 80.0),
        ("f1", "maximize", 80.0, 3.0),
        ("crossfit_f1", "maximize", 80.0, 3.0),
        ("no_ans_f1", "maximize", 80.0, 3.0),
    ],
)
def test_the_worse_trial_of_the_objective_is_given_up(
    tmp_path: Path, name: str, way: str, good: float, bad: float
) -> None:
    search = opened(tmp_path, {name: way})
    begun(search, name, [2.0, 3.5, 4.0, 4.5, 5.0])
    one, other = search.ask(), search.ask()
    assert search.report(one, 1, good) is None
    why = search.report(other, 1, bad)
    assert search.watched is not None
    assert why is not None
    best, side = ("lowest", "above") if way == "minimize" else ("highest", "below")
    assert f"{best} {search.watched.metric} so far {bad:.4g}, {side} the median 4 of 5 completed trials there" in why
    assert f"({name}: {way}" in why
    assert ("stands for it" in why) == (name == "crossfit_f1")
    search.tell(other, [None], is_pruned=True, why=why)
    row = search.rows()[-1]
    assert (row["state"], row["why"], row["values"]) == ("pruned", why, None)


def test_what_has_no_value_per_epoch_or_several_objectives_is_never_given_up(tmp_path: Path) -> None:
    for number, objectives in enumerate(
        ({"train_seconds": "minimize"}, {"peak_memory_mib": "minimize"}, {"f1": "maximize", "train_loss": "minimize"})
    ):
        (tmp_path / str(number)).mkdir()
        search = opened(tmp_path / str(number), objectives)
        assert (search.watched, search.is_pruning) == (None, False)
        assert search.why_off
    (tmp_path / "off").mkdir()
    search = opened(tmp_path / "off", {"f1": "maximize"}, is_pruning=False)
    begun(search, "f1", [50.0] * 6)
    assert search.report(search.ask(), 1, 1.0) is None


def test_medians_are_never_of_another_quantity(tmp_path: Path) -> None:
    """A study that was begun when f1 was reported whatever the objective: a loss is not held against f1."""
    search = opened(tmp_path, {"train_loss": "minimize"})
    assert search.watched is not None
    trial = search.ask()
    trial.report(36.7, 1)
    search.tell(trial, [{"train_loss": 2.0}])
    journal = tmp_path / "optuna.journal"
    lines = [line for line in journal.read_text().splitlines(keepends=True) if '"watched"' not in line]
    journal.write_text("".join(lines))
    older = opened(tmp_path, {"train_loss": "minimize"})
    assert (older.watched, older.is_pruning) == (None, False)
    assert "watched by f1, not by train_loss" in older.why_off
    # And a resumed one goes on with what it watched.
    (tmp_path / "new").mkdir()
    begun(opened(tmp_path / "new", {"train_loss": "minimize"}), "train_loss", [1.0, 2.0, 3.0, 4.0, 5.0])
    again = opened(tmp_path / "new", {"train_loss": "minimize"})
    assert again.report(again.ask(), 1, 9.0) is not None


def test_a_trial_without_a_value_of_every_seed_has_failed(tmp_path: Path) -> None:
    search = opened(tmp_path, {"has_ans_f1": "maximize"})
    several: list[list[dict[str, Any]]] = [
        [{"has_ans_f1": 1.0}, {"has_ans_f1": None}],
        [{}],
        [{"has_ans_f1": float("nan")}],
    ]
    for summaries in several:
        assert "has_ans_f1 has no value" in str(search.tell(search.ask(), summaries))
    assert "1 of 2 jobs" in str(search.tell(search.ask(), [{"has_ans_f1": 1.0}, None]))
    assert search.tell(search.ask(), [{"has_ans_f1": 1.0}, {"has_ans_f1": 4.0}]) is None
    assert [row["state"] for row in search.rows()] == ["fail"] * 4 + ["complete"]
    assert search.best()[0].values == [2.5]


def test_a_trial_that_was_done_before_it_could_be_ended_is_complete(tmp_path: Path) -> None:
    search = opened(tmp_path, {"f1": "maximize"})
    search.tell(search.ask(), [{"f1": 3.0}], is_pruned=True, why="given up")
    assert [row["state"] for row in search.rows()] == ["complete"]


def test_epochs_are_those_that_have_ended(tmp_path: Path) -> None:
    assert ended_epochs(tmp_path, "f1") == {}
    rows = ["epoch,step,train_loss,f1", "0,0,,1.0", "0.5,5,4.0,2.0", "1,10,3.0,3.0", "2,20,nan,4.0", "3,30,,"]
    (tmp_path / "history.csv").write_text("\n".join(rows) + "\n")
    assert ended_epochs(tmp_path, "f1") == {1: 3.0, 2: 4.0}
    assert ended_epochs(tmp_path, "train_loss") == {1: 3.0}
    (tmp_path / "history.csv").write_text("epoch,f1\n1")
    assert ended_epochs(tmp_path, "f1") == {}


def test_a_value_and_a_median_that_differ_do_not_look_alike() -> None:
    found, _ = watched_number({"f1": "maximize"})
    assert found is not None
    said = given_up(found, 2, 36.66661, [36.66669], of="seed=0")
    assert "highest f1 of seed=0 so far 36.6666, below the median 36.6667 of 1 completed" in said
    assert "median" not in given_up(found, 1, 1.0, [])


def test_a_direction_that_looks_for_the_worst_is_told() -> None:
    assert odd_ways({"f1": "maximize", "train_loss": "minimize", "num_steps": "minimize"}) == []
    assert len(odd_ways({"f1": "minimize", "train_loss": "maximize", "tokens_per_second": "minimize"})) == 3


class Silent:
    """Is told, and says nothing."""

    def started(self, job: object) -> None:
        pass

    def ended(self, job: object, outcome: Outcome, seconds: float) -> None:
        self.outcome = outcome

    def tick(self, running: object) -> tuple[str, ...]:
        return ()


def history(run: Path, *losses: float) -> None:
    run.mkdir(exist_ok=True)
    with (run / "history.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("epoch", "train_loss"), *enumerate(losses, 1)])


def test_a_trial_is_judged_by_its_first_seed_however_many_run(tmp_path: Path) -> None:
    search = opened(tmp_path, {"train_loss": "minimize"})
    begun(search, "train_loss", [2.0, 3.0, 4.0, 5.0, 6.0])
    first, second = (planned(tmp_path, number, lr="1", seed=number) for number in (0, 1))
    view, trial = Silent(), search.ask()
    judge = Judge(view, search, trial, [first, second])
    history(second.folder, 9.0)
    assert judge.tick([first, second]) == ()  # the second seed of the others is not what the medians are of
    history(first.folder, 3.5)
    assert judge.tick([first, second]) == ()
    history(first.folder, 3.5, 3.4)
    judge.tick([first])
    assert search.study.trials[trial.number].intermediate_values == {1: 3.5, 2: 3.4}
    worse = Judge(view, search, search.ask(), [first, second])
    history(first.folder, 9.0)
    assert worse.tick([first, second]) == {first.sha256, second.sha256}
    assert worse.reason is not None
    assert "of seed=0 so far 9" in worse.reason
    # What ended in another way stays what it was.
    for state, marked in ((PREEMPTED, PRUNED), (COMPLETED, COMPLETED), (FAILED, FAILED)):
        worse.ended(first, Outcome(state, "x", "y"), 1.0)
        assert view.outcome.state == marked
    assert worse.close({"a": Outcome(PREEMPTED)})["a"].message == worse.reason


def test_epochs_that_no_look_has_seen_are_reported_all_the_same(tmp_path: Path) -> None:
    """Of a run that was there before, or that ended between two looks; or medians would be of some trials only."""
    search = opened(tmp_path, {"train_loss": "minimize"})
    job, trial = planned(tmp_path, 0), search.ask()
    history(job.folder, 3.0, 2.0, 1.0)
    Judge(Silent(), search, trial, [job]).close({})
    assert search.study.trials[trial.number].intermediate_values == {1: 3.0, 2: 2.0, 3: 1.0}


def searched(folder: Path, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", "sweep=optuna", *WORDS, RATE, "hydra.sweeper.num_trials=2", *words)


NO_SCORE = "~hydra.sweeper.objectives.crossfit_f1"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("+hydra.sweeper.objectives.train_seconds=minimize", NO_SCORE), "off: train_seconds has no value per epoch"),
        (("+hydra.sweeper.objectives.train_seconds=minimize",), "pruning is off: there are 2 objectives"),
        (("hydra/launcher=basic",), "pruning is off: hydra/launcher=local, slurm and ray alone can end jobs"),
        (("+hydra.sweeper.objectives.train_loss=maximize", NO_SCORE), "train_loss is better when lower"),
        (("hydra.sweeper.objectives.crossfit_f1=minimize",), "crossfit_f1 is better when higher"),
        ((), "for crossfit_f1 (maximize)"),
    ],
)
def test_the_start_of_a_search_says_what_it_does_not_do(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = searched(tmp_path, "name=s", "sweep.dry_run=true", *words)
    assert done.code == 0, done.err
    assert says in done.out
    assert ("pruning is off" in done.out) == ("has no value" in done.out or "pruning is off" in says)
    silent = searched(tmp_path, "name=s", "sweep.dry_run=true", "hydra.sweeper.pruning=false", *words)
    assert "pruning" not in silent.out


def test_a_number_of_no_summary_and_a_hash_are_no_objectives(tmp_path: Path) -> None:
    for name in ("manifest_sha256", "test_f1", "loss"):
        assert searched(tmp_path, "name=s", f"+hydra.sweeper.objectives.{name}=maximize").code == 2


@pytest.mark.thorough
def test_a_minimised_search_ends_with_its_lowest_and_again_changes_nothing(tmp_path: Path) -> None:
    words = ("name=s", "+hydra.sweeper.objectives.train_loss=minimize", NO_SCORE)
    done = searched(tmp_path, *words)
    assert done.code == 0, done.err
    sweep = tmp_path / "multirun_outputs" / "s"
    found: dict[str, Any] = json.loads((sweep / "sweep.json").read_text("utf-8"))
    lowest = min(found["trials"], key=lambda trial: float(trial["values"][0]))
    assert f"best: train_loss {lowest['values'][0]:.3f} (minimize) with optimizer.lr=" in done.out
    (job,) = [job for job in found["jobs"] if job["run_id"] == lowest["run_ids"][0]]
    assert float(job["changes"]["optimizer.lr"]) == lowest["params"]["optimizer.lr"]
    assert job["summary"]["train_loss"] == lowest["values"][0]
    before = {name: (sweep / name).read_bytes() for name in ("sweep.json", "sweep.csv")}
    assert searched(tmp_path, *words).code == 0
    assert {name: (sweep / name).read_bytes() for name in before} == before
    assert all(job["is_planned"] for job in found["jobs"])
    # More trials: those of the earlier command keep their values and their places.
    assert searched(tmp_path, *words, "hydra.sweeper.num_trials=3").code == 0
    more = json.loads((sweep / "sweep.json").read_text("utf-8"))
    assert more["jobs"][:2] == found["jobs"]
    assert len(more["looks"]) == 2
