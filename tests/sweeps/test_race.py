"""`sweep=race` from its command to its last line: dropped configurations, resumed runs, workers, launchers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qaexp.config.schema import ExperimentConfig
from qaexp.runs.claims import Claims
from qaexp.sweeps.job import Job
from qaexp.sweeps.race import elsewhere
from qaexp.sweeps.race.course import Round, Rules
from qaexp.sweeps.race.elsewhere import RoundsElsewhere
from qaexp.sweeps.race.entrants import Entry
from qaexp.sweeps.race.track import Track
from tests.fixtures import planted, tiny_run
from tests.fixtures.workers import process, run_ends

WORDS = (
    *tiny_run.MODEL,
    *planted.WORDS,
    "data.subset=answerable",
    "decoding=squad_v1",
    "data.train_size=12",
    "data.dev_size=16",
    "trainer.epochs=1",
    "threads=1",
)
RACE = (*WORDS, "optimizer.lr=1e-3,3e-3", "seed=range(4)")


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)


def race(folder: Path, name: str, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", "sweep=race", f"name={name}", *words)


def record(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "multirun_outputs" / name / "race.json").read_text("utf-8"))
    return found


def job_in(folder: Path) -> Job:
    """What a race asks of a job: where it is, and its identity."""
    name, _, run_id = folder.name.rpartition("-")
    return Job((), (name.split(",")[-1],), ExperimentConfig(), sha256=run_id, directory=folder)


def decisions(found: dict[str, Any]) -> Any:
    """What a race decided, without what depends on the clock."""
    return [{key: one for key, one in made.items() if key != "spent"} for made in found["rounds"]], found["end"]


def test_a_race_is_run_in_rounds_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    dry = race(tmp_path, "r", *RACE, "sweep.dry_run=true")
    assert (dry.code, "6 jobs: 6 to run" in dry.out) == (0, True), dry.err
    assert not (tmp_path / "multirun_outputs").exists()
    short = race(tmp_path, "r", *RACE, "hydra.sweeper.budget_runs=7", "hydra.sweeper.relevant=1e-9")
    assert short.code == 0, short.err
    assert "not decided" in short.out
    assert "the budget is spent" in short.out
    first = record(tmp_path, "r")
    assert (first["end"], first["spent"]["runs"], len(first["rounds"])) == ("budget", 6, 1)
    status = tiny_run.call(tmp_path, "status", "multirun_outputs/r")
    assert (
        "race multirun_outputs/r: 1 round, 6 runs; 2 of 2 configurations open; over: the budget is spent" in status.out
    )
    told = json.loads(tiny_run.call(tmp_path, "status", "multirun_outputs/r", "--json").out)
    assert told["races"][0]["end"] == "budget"
    # A larger budget goes on: what was run is used, and only one round is added.
    more = race(tmp_path, "r", *RACE, "hydra.sweeper.relevant=1e-9")
    assert more.code == 0, more.err
    found = record(tmp_path, "r")
    assert found["rounds"][0] == first["rounds"][0]
    assert (found["spent"]["runs"], found["end"]) == (8, "seeds")
    before = tiny_run.snapshot(tmp_path / "multirun_outputs" / "r")
    again = tiny_run.call(tmp_path, "resume", "multirun_outputs/r")
    assert again.code == 0, again.err
    after = tiny_run.snapshot(tmp_path / "multirun_outputs" / "r")
    assert {name for name in after if before.get(name) != after[name]} <= {".lock", "plan.json"}
    # Without its record, or with another one in its place, the race is derived from its runs.
    (tmp_path / "multirun_outputs" / "r" / "race.json").write_text('{"rounds": [')
    assert tiny_run.call(tmp_path, "resume", "multirun_outputs/r").code == 0
    assert record(tmp_path, "r") == found
    # A budget that is smaller than what was spent forgets nothing.
    less = race(tmp_path, "r", *RACE, "hydra.sweeper.relevant=1e-9", "hydra.sweeper.budget_runs=6")
    assert less.code == 0, less.err
    assert "8 runs (a grid with as many seeds: 8)" in less.out
    told = record(tmp_path, "r")
    assert told["budget"]["runs"] == 6
    assert {**told, "budget": None} == {**found, "budget": None}


@pytest.mark.thorough
def test_workers_come_to_the_decisions_of_the_race_s_own_command(tmp_path: Path) -> None:
    words = (*RACE, "hydra.sweeper.relevant=1e-9")
    assert race(tmp_path, "alone", *words).code == 0
    assert race(tmp_path, "shared", *words, "sweep.plan_only=true").code == 0
    sweep = tmp_path / "multirun_outputs" / "shared"
    one = tiny_run.call(tmp_path, "work", str(sweep), "--one")
    assert one.code == 0, one.err
    assert len(list(sweep.glob("*/summary.json"))) == 1
    refused = tiny_run.call(tmp_path, "work", str(sweep), "--job", "00000000")
    assert (refused.code, "race" in refused.last_line) == (2, True)
    ends = run_ends([process(tmp_path, "work", str(sweep)) for _ in range(2)])
    assert [code for code, _ in ends] == [0, 0], ends
    assert decisions(record(tmp_path, "shared")) == decisions(record(tmp_path, "alone"))
    assert len(list(sweep.glob("*/summary.json"))) == 8
    assert (sweep / "sweep.json").exists()


def test_who_watches_workers_tells_each_round_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under hydra/launcher=slurm, whose process runs no job itself."""
    sweep = tmp_path / "multirun_outputs" / "r"
    words = (*RACE[:-1], "seed=range(3)", "hydra.sweeper.relevant=1e-9")
    assert race(tmp_path, "r", *words).code == 0
    monkeypatch.setattr(elsewhere, "_LOOK_SECONDS", 0.0)
    names = ("optimizer.lr=0.001", "optimizer.lr=0.003")
    folders = sorted(path for path in sweep.iterdir() if path.is_dir() and "seed=" in path.name)
    jobs = [job_in(path) for path in folders]
    entries = [Entry(name, tuple(jobs[3 * place : 3 * place + 3])) for place, name in enumerate(names)]
    track = Track(entries, ("seed=0", "seed=1", "seed=2"), Rules("crossfit_f1", "higher", 1e-9))
    told: list[Round] = []
    rounds = RoundsElsewhere(track, Claims(sweep), told.extend)
    assert not rounds.is_over
    rounds.look()
    rounds.look()
    assert (rounds.is_over, len(told), track.course.end) == (True, 1, "seeds")


@pytest.mark.thorough
def test_another_launcher_runs_a_race_round_by_round(tmp_path: Path) -> None:
    words = (*RACE[:-1], "seed=range(3)", "hydra.sweeper.relevant=1e-9")
    assert race(tmp_path, "local", *words, "hydra.launcher.jobs=2").code == 0
    done = race(tmp_path, "basic", *words, "hydra/launcher=basic")
    assert done.code == 0, done.err
    assert decisions(record(tmp_path, "basic")) == decisions(record(tmp_path, "local"))


def test_a_configuration_whose_run_fails_is_set_aside_and_tried_again(tmp_path: Path) -> None:
    words = (*WORDS, "optimizer.lr=1e-3", "seed=range(3)", "+optimizer.how=none,raise")
    (tmp_path / planted.SWITCH).touch()
    failed = race(tmp_path, "f", *words)
    assert (failed.code, "planted" in failed.err) == (10, True), failed.err
    found = record(tmp_path, "f")
    assert [row["state"] for row in found["configurations"]] == ["open", "set aside"]
    assert (found["end"], "planted" in found["configurations"][1]["reason"]) == ("left", True)
    (tmp_path / planted.SWITCH).unlink()
    mended = race(tmp_path, "f", *words)
    assert mended.code == 0, mended.err
    # Both train alike, and have the same score of each question: nothing is better than its equal.
    assert record(tmp_path, "f")["end"] == "equal"
    assert "score the same in each question with every seed" in mended.out


def test_what_cannot_be_raced_is_told_before_anything_starts(tmp_path: Path) -> None:
    two, seeds = "optimizer.lr=1e-3,3e-3", "seed=range(4)"
    for words, says in (
        (("optimizer.lr=1e-3", seeds), "there is one configuration"),
        (("optimizer.lr=1e-3", "trainer.log_every=1,2", seeds), "are the same configuration"),
        ((two, "seed=0"), "there is one seed"),
        ((two, seeds, "hydra.sweeper.budget_runs=5"), "the first round takes 6 runs"),
        ((two, seeds, "hydra.sweeper.metric=train_seconds"), "score of each dev question"),
        ((two, seeds, "hydra.sweeper.relevant=0"), "must be a number above 0"),
        (("optimizer.lr=1e-3", "data.dev_size=8,16", seeds), "same questions"),
    ):
        done = race(tmp_path, "w", *WORDS, *words)
        assert (done.code, says in done.err) == (2, True), done.err
    assert not (tmp_path / "multirun_outputs").exists()
