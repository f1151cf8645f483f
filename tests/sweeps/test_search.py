"""`sweep=optuna`: trials are drawn, repeated over seeds, counted over every start, and given up where that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qaexp.errors import ConfigError
from qaexp.runs.claims import Claim, Claims
from qaexp.runs.workers import working
from qaexp.sweeps.outcome import PREEMPTED, Outcome
from qaexp.sweeps.watcher import Nobody
from tests.fixtures import tiny_run

pytest.importorskip("optuna")
from optuna.trial import Trial

from qaexp.sweeps.optuna import elsewhere
from qaexp.sweeps.optuna.elsewhere import TrialsElsewhere
from qaexp.sweeps.optuna.held import LostTrialError
from qaexp.sweeps.optuna.judge import Judge
from qaexp.sweeps.optuna.space import read_space
from qaexp.sweeps.optuna.study import Search
from qaexp.sweeps.optuna.sweeper import SearchSweeper
from tests.sweeps.test_plan import planned

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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


@pytest.mark.thorough
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


def test_the_trials_of_workers_elsewhere_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins and what ends, each once; what had ended before is no news."""
    monkeypatch.setattr(elsewhere, "_LOOK_SECONDS", 0.0)
    study = open_search(tmp_path, num_trials=4)
    monkeypatch.setattr(study, "is_stale", lambda trial: trial.number == 0)
    study.ask()
    before = study.ask()
    study.tell(before, [{"crossfit_f1": 10.0}])
    said: list[str] = []
    seen = TrialsElsewhere(study, said.append)
    first, second, third = (study.ask() for _ in range(3))
    seen.look()
    seen.look()
    assert [line.split(" ", 2)[:2] for line in said] == [["trial", "3"], ["trial", "4"], ["trial", "5"]]
    assert all("optimizer.lr=" in line and line.endswith("begun") for line in said)
    study.tell(first, [{"crossfit_f1": 51.25}])
    study.tell(second, [None])
    study.tell(third, [None], is_pruned=True, why="worse than the median")
    said.clear()
    seen.look()
    assert said == [
        "trial 3 ended: crossfit_f1 51.2; 0 to go",
        "trial 4 failed: 1 of 1 jobs are not completed; 0 to go",
        "trial 5 given up: worse than the median; 0 to go",
    ]
    assert seen.is_over


GOOD = {"crossfit_f1": 50.0}


@pytest.mark.thorough
def test_who_finds_no_trial_takes_no_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another worker makes the last one; and a worker that was to make one trial ends at once."""
    words = (RATE, "seed=0", "hydra.sweeper.num_trials=1")
    assert search(tmp_path, "s", *words, "sweep.plan_only=true").code == 0
    sweep = tmp_path / "multirun_outputs" / "s"
    waits, turns = list[float](), list[set[str]]()
    with working(sweep) as claims:
        other = open_search(sweep, num_trials=1, claims=claims)
        trial = other.next_trial()
        assert trial is not None

        def waited(self: object, seconds: float) -> None:
            waits.append(seconds)
            turns.append({path.name for path in (sweep / ".work" / "claims").glob("turn.*")})
            if len(waits) == 6:
                other.tell(trial, [GOOD])

        monkeypatch.setattr(SearchSweeper, "_wait", waited)
        one = tiny_run.call(tmp_path, "work", str(sweep), "--one")
        assert (one.code, waits, "no trial is to be had" in one.out) == (0, [], True), one.err
        assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert all(one == turns[0] for one in turns)


@pytest.mark.parametrize("told_only", [False, True])
def test_a_worker_that_lost_its_trial_tells_nothing(tmp_path: Path, told_only: bool) -> None:
    """It slept, another one marked its trial as failed and repeats it; by the claim, or by the study alone."""
    with working(tmp_path) as slow, working(tmp_path) as quick:
        first = open_search(tmp_path, claims=slow)
        trial = first.next_trial()
        assert trial is not None
        first.begun(trial, ["a"])
        assert first.report(trial, 1, 10.0) is None
        if told_only:
            assert [row["state"] for row in open_search(tmp_path).rows()] == ["fail"]
        else:
            second = asleep(open_search(tmp_path, claims=quick), slow)
            again = second.next_trial()
            assert again is not None
            assert (again.number, again.params) == (1, trial.params)
            with pytest.raises(LostTrialError):
                first.check_own(trial)
        for say in (
            lambda: first.begun(trial, ["b"]),
            lambda: first.report(trial, 2, 20.0),
            lambda: first.tell(trial, [GOOD]),
            lambda: first.tell(trial, [None]),
        ):
            with pytest.raises(LostTrialError):
                say()
        first.put_down(trial)
        row = first.rows()[0]
        assert (row["state"], row["why"], row["run_ids"]) == ("fail", None, ["a"])


def asleep(search: Search, claims: Claims) -> Search:
    """A search that believes the worker of other claims to be dead."""
    own = search._held._claims
    assert own is not None
    alive = own.is_alive
    own.is_alive = lambda claim: alive(claim) and claim.owner.get("worker") != claims.worker  # type: ignore[method-assign]
    return search


def test_a_worker_that_wakes_up_in_time_keeps_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what came of it while the other one is about to mark it as failed: nothing is repeated."""
    with working(tmp_path) as slow, working(tmp_path) as quick:
        first, second = open_search(tmp_path, claims=slow), asleep(open_search(tmp_path, claims=quick), slow)
        trial = first.next_trial()
        assert trial is not None
        take = quick.take

        def late(job: str, after: Claim | None) -> Claim | None:
            if job == f"trial{trial.number}":
                first.tell(trial, [GOOD])
            return take(job, after)

        monkeypatch.setattr(quick, "take", late)
        assert second.next_trial() is not None
        assert [one.state.name for one in second.trials()] == ["COMPLETE", "RUNNING"]
        assert second.num_left == 7


def test_the_jobs_of_a_lost_trial_end_and_its_worker_goes_on(tmp_path: Path) -> None:
    """Jobs that run here are stopped first; then the others, which are another worker's, are not waited for."""
    with working(tmp_path) as slow, working(tmp_path) as quick:
        search = open_search(tmp_path, claims=slow)
        trial = search.next_trial()
        assert trial is not None
        here, elsewhere = (planned(tmp_path, number) for number in (0, 1))
        judge = Judge(Nobody(), search, trial, [here, elsewhere])
        onlooker = Judge(Nobody(), search, trial, [here, elsewhere], can_end_jobs=False)
        judge.started(here)
        assert judge.tick([here, elsewhere]) == ()
        quick.take("trial0", quick.newest()["trial0"])
        assert judge.tick([here, elsewhere]) == {here.sha256, elsewhere.sha256}
        judge.ended(here, Outcome(PREEMPTED), 1.0)
        with pytest.raises(LostTrialError):
            judge.tick([elsewhere])
        onlooker.tick([])  # in a thread of its own: the end of the jobs is awaited
        with pytest.raises(LostTrialError):
            onlooker.close({})


@pytest.mark.thorough
def test_a_search_whose_trial_is_taken_over_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken over by hand while its first job trains; the trial is made again under another number."""
    begun, taken = Search.begun, list[str]()

    def overtaken(self: Search, trial: Trial, run_ids: list[str]) -> None:
        begun(self, trial, run_ids)
        if trial.number == 0:
            with working(tmp_path / "multirun_outputs" / "s") as claims:
                mine = claims.take("trial0", claims.newest()["trial0"])
                assert mine is not None
                taken.append(mine.name)
                claims.end(mine, "over")

    monkeypatch.setattr(Search, "begun", overtaken)
    done = search(tmp_path, "s", RATE, "seed=0", "hydra.sweeper.num_trials=2", "trainer.epochs=2")
    assert (done.code, taken) == (0, ["trial0.2"]), done.err
    assert "trial 1: another worker took it over" in done.out
    states = [trial["state"] for trial in told(tmp_path, "s")["trials"]]
    assert states == ["fail", "complete", "complete"]


def test_failed_trials_in_a_row_count_over_all_workers_of_this_start(tmp_path: Path) -> None:
    with working(tmp_path) as one, working(tmp_path) as other:
        first, second = (open_search(tmp_path, num_trials=30, claims=claims) for claims in (one, other))

        def made(by: Search, *summaries: dict[str, float] | None) -> None:
            for summary in summaries:
                trial = by.next_trial()
                assert trial is not None
                by.tell(trial, [summary])

        made(first, None, None, GOOD, None)
        made(second, None, None)
        killed = second.next_trial()
        assert killed is not None
        second.put_down(killed)  # made again by the next one, and no failure
        made(first, None)
        assert not first.is_hopeless
        made(second, None)
        assert (first.is_hopeless, second.is_hopeless) == (True, True)
        # What was wrong is mended, and the search is started again.
        assert not open_search(tmp_path, num_trials=30, claims=one).is_hopeless
        made(first, GOOD)
        assert not second.is_hopeless


@pytest.mark.thorough
def test_five_failed_trials_of_several_workers_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has one job fail after four of others makes no further one, and says why."""
    tell = Search.tell

    def failed(self: Search, trial: Trial, summaries: list[object], **more: Any) -> str | None:
        failure = tell(self, trial, [None])
        with working(tmp_path / "multirun_outputs" / "s") as claims:
            other = open_search(tmp_path / "multirun_outputs" / "s", claims=claims)
            for _ in range(4):
                another = other.next_trial()
                assert another is not None
                tell(other, another, [None])
        return failure

    monkeypatch.setattr(Search, "tell", failed)
    words = (RATE, "seed=0", "hydra.sweeper.num_trials=8")
    assert search(tmp_path, "s", *words, "sweep.plan_only=true").code == 0
    done = tiny_run.call(tmp_path, "work", str(tmp_path / "multirun_outputs" / "s"))
    assert (done.code, "5 trials in a row failed, 3 trials were not made" in done.last_line) == (10, True), done.err


@pytest.mark.thorough
def test_a_worker_leaves_results_that_stand_alone(tmp_path: Path) -> None:
    words = (RATE, "seed=0", "hydra.sweeper.num_trials=1", "reporter.html=true")
    assert search(tmp_path, "s", *words, "sweep.plan_only=true").code == 0
    sweep = tmp_path / "multirun_outputs" / "s"
    assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
    results = ("sweep.json", "sweep.csv", "report.html")
    before = {name: (sweep / name).stat().st_ino for name in results}
    again = tiny_run.call(tmp_path, "work", str(sweep))
    assert (again.code, "the results stand in" in again.out) == (0, True), again.err
    assert {name: (sweep / name).stat().st_ino for name in results} == before
    assert not (sweep / ".work").exists()
    for name in results:
        (sweep / name).unlink()
        assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
        assert (sweep / name).is_file()
