"""`qaexp work`: workers of one sweep, from its folder alone; what they may not do, and that nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from qaexp.commands.work import seconds_of
from qaexp.errors import ConfigError
from qaexp.runs.workers import working
from qaexp.sweeps.execute import sweep_console, tell_workers
from tests.faults.test_sweeps import wait_until
from tests.fixtures import drill, planted, tiny_run
from tests.fixtures.workers import LONG, WORDS, attempts, planned, process, run_ends, states


def test_a_planned_sweep_is_run_by_workers_as_its_own_command_would(tmp_path: Path) -> None:
    quiet = tiny_run.call(tmp_path, "train", "-m", "name=quiet", *WORDS, "seed=0,1")
    assert quiet.code == 0, quiet.err
    sweep = planned(tmp_path, *WORDS, "seed=0,1")
    assert not any(sweep.glob("seed=*"))
    one = tiny_run.call(tmp_path, "work", str(sweep), "--one")
    assert one.code == 0, one.err
    assert len(list(sweep.glob("seed=*/summary.json"))) == 1
    assert not (sweep / "sweep.json").exists()
    rest = tiny_run.call(tmp_path, "work", str(sweep))
    assert rest.code == 0, rest.err
    assert "2 jobs: 1 completed, 1 to run" in rest.out
    assert states(sweep) == ["completed"] * 2
    assert attempts(sweep) == [1] * 2
    assert not (sweep / ".work").exists()
    for run in sweep.glob("seed=*"):
        twin = tmp_path / "multirun_outputs" / "quiet" / run.name
        assert drill.fingerprints(run) == drill.fingerprints(twin)
        own, other = ((path / ".hydra" / "overrides.yaml").read_text() for path in (run, twin))
        assert own == other.replace("name=quiet", "name=s")
    before = tiny_run.snapshot(sweep)
    again = tiny_run.call(tmp_path, "work", str(sweep))
    assert (again.code, "nothing is left to run" in again.out) == (0, True)
    after = tiny_run.snapshot(sweep)
    assert {name for name in after if before.get(name) != after[name]} == {".lock"}
    assert "2 jobs: 2 to reuse" in tiny_run.call(tmp_path, "train", "-m", "name=s", *WORDS, "seed=0,1").out


def test_one_job_by_its_name_whoever_else_there_is(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *WORDS, "seed=0,1")
    last = json.loads((sweep / "plan.json").read_text())["jobs"][1]
    done = tiny_run.call(tmp_path, "work", str(sweep), "--job", last["run_id"])
    assert done.code == 0, done.err
    assert [path.parent.name for path in sweep.glob("seed=*/summary.json")] == [last["path"]]
    wrong = tiny_run.call(tmp_path, "work", str(sweep), "--job", "00000000")
    assert (wrong.code, "is no job of the plan" in wrong.last_line) == (2, True)
    first = json.loads((sweep / "plan.json").read_text())["jobs"][0]
    with working(sweep) as claims:
        claims.take(first["run_id"], None)
        told = tiny_run.call(tmp_path, "status", str(sweep)).out
        assert f"runs {first['run_id']}" in told or f"runs {first['path']}" in told
        busy = tiny_run.call(tmp_path, "work", str(sweep), "--job", first["path"])
        assert (busy.code, "another worker" in busy.last_line) == (4, True)
        idle = tiny_run.call(tmp_path, "work", str(sweep), "--one")
        assert (idle.code, "other workers have all jobs" in idle.last_line) == (4, True)


def test_a_job_that_failed_is_left_alone_until_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)
    words = (*WORDS, *planted.WORDS, "+optimizer.how=a,raise")
    sweep = planned(tmp_path, *words)
    (tmp_path / planted.SWITCH).touch()
    first = tiny_run.call(tmp_path, "work", str(sweep))
    assert (first.code, "1 of 2 jobs failed" in first.last_line) == (10, True)
    (tmp_path / planted.SWITCH).unlink()
    second = tiny_run.call(tmp_path, "work", str(sweep))
    assert (second.code, "started" in second.out) == (10, False)
    assert "--retry" in second.last_line
    third = tiny_run.call(tmp_path, "work", str(sweep), "--retry")
    assert third.code == 0, third.err
    assert states(sweep) == ["completed"] * 2


def test_a_new_plan_gives_what_failed_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)
    words = (*WORDS, *planted.WORDS, "+optimizer.how=a,raise")
    sweep = planned(tmp_path, *words)
    (tmp_path / planted.SWITCH).touch()
    assert tiny_run.call(tmp_path, "work", str(sweep)).code == 10
    (tmp_path / planted.SWITCH).unlink()
    planned(tmp_path, *words)
    assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0


def test_failures_count_over_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)
    (tmp_path / planted.SWITCH).touch()
    words = (*WORDS, *planted.WORDS, "+optimizer.how=raise", "seed=0,1,2")
    sweep = planned(tmp_path, *words, "sweep.on_failure=stop_after:2")
    for _ in range(2):
        assert tiny_run.call(tmp_path, "work", str(sweep), "--one").code == 10
    last = tiny_run.call(tmp_path, "work", str(sweep))
    assert (last.code, "started" in last.out) == (10, False)
    assert len(list(sweep.glob("seed=*"))) == 2


@pytest.mark.thorough
def test_time_that_is_over_stores_a_checkpoint(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *LONG[:-4], "trainer.epochs=20000", *LONG[-3:], "seed=0")
    done = tiny_run.call(tmp_path, "work", str(sweep), "--for", "20s")
    assert done.code == 75, done.err
    assert "the time that --for gives is over; 1 job left" in done.out
    (run,) = sweep.glob("*-????????")
    record = tiny_run.read_json(run / "run.json")
    assert (record["state"], record["error"]["message"]) == ("preempted", "stopped as the time of its worker was over")
    assert any(run.glob("checkpoints/step-*"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("45min", 2700), ("1h30m", 5400), ("1d", 86400)]
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["3", "", "h", "-1h", "0s", "1h and more", "1x"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError, match="90s, 45m, 3h"):
        seconds_of(text)


def test_other_code_is_refused_unless_allowed(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *WORDS, "seed=0")
    plan = json.loads((sweep / "plan.json").read_text())
    (sweep / "plan.json").write_text(json.dumps({**plan, "code_hash": "0" * 64}))
    refused = tiny_run.call(tmp_path, "work", str(sweep))
    assert (refused.code, "other code of qaexp" in refused.last_line) == (2, True)
    assert not any(sweep.glob("*-????????"))
    assert tiny_run.call(tmp_path, "work", str(sweep), "trainer.allow_drift=true").code == 0


def test_other_data_are_refused_and_nothing_is_trained(tmp_path: Path) -> None:
    files = tiny_run.files_of(
        tiny_run.write_squad(tmp_path / "train.json", 8, 4), tiny_run.write_squad(tmp_path / "dev.json", 4, 2)
    )
    sweep = planned(tmp_path, *tiny_run.FILES, *files, "trainer.epochs=1", "seed=0,1")
    tiny_run.write_squad(tmp_path / "dev.json", 4, 3)
    refused = tiny_run.call(tmp_path, "work", str(sweep), "trainer.allow_drift=true")
    assert refused.code == 2
    assert "are not those that were planned" in refused.last_line
    assert "2 of 2 jobs" in refused.last_line
    assert not any(sweep.glob("seed=*"))


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 2, "has no plan.json"),
        ("{", 8, "plan.json"),
        ('{"schema_version": 99, "jobs": []}', 2, "newer qaexp"),
        ('{"schema_version": 1, "settings": {}}', 8, "is no plan"),
    ],
)
def test_a_folder_that_no_worker_can_work_on(content: str | None, code: int, says: str, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    if content is not None:
        (folder / "plan.json").write_text(content)
    done = tiny_run.call(tmp_path, "work", "s")
    assert (done.code, says in done.last_line) == (code, True), done.err


def test_a_run_and_nothing_at_all_are_told_apart(tmp_path: Path) -> None:
    run = tiny_run.train(tmp_path, "r", *WORDS)
    assert "qaexp resume" in tiny_run.call(tmp_path, "work", str(run)).last_line
    assert "no such folder" in tiny_run.call(tmp_path, "work", "nowhere").last_line


def test_the_command_of_a_worker_is_one_that_a_shell_takes(capsys: pytest.CaptureFixture[str]) -> None:
    tell_workers(sweep_console(), Path("my runs/s"))
    assert capsys.readouterr().out.endswith("qaexp work 'my runs/s'\n")


def test_plan_only_without_a_sweep_is_refused(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "train", "name=a", *WORDS, "sweep.plan_only=true")
    assert (done.code, "add -m" in done.last_line) == (2, True)


@pytest.mark.thorough
def test_two_workers_of_a_search_make_each_trial_once(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    words = (*WORDS, "optimizer.lr=tag(log,interval(1e-5,1e-3))", "hydra.sweeper.num_trials=4")
    done = tiny_run.call(tmp_path, "train", "sweep=optuna", "name=s", *words, "sweep.plan_only=true")
    assert done.code == 0, done.err
    sweep = tmp_path / "multirun_outputs" / "s"
    found = run_ends([process(tmp_path, "work", str(sweep)) for _ in range(2)])
    assert [code for code, _ in found] == [0, 0], found
    trials = json.loads((sweep / "sweep.json").read_text())["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 4
    assert len({trial["params"]["optimizer.lr"] for trial in trials}) == 4
    goes_on = tiny_run.call(tmp_path, "resume", str(sweep))
    assert goes_on.code == 0, goes_on.err


@pytest.mark.thorough
def test_a_worker_of_a_search_keeps_to_the_plan(tmp_path: Path) -> None:
    """Its code, data and number of threads are those that were planned."""
    pytest.importorskip("optuna")
    data = tiny_run.write_squad(tmp_path / "data.json", 8, 4)
    space = ("optimizer.lr=tag(log,interval(1e-5,1e-3))", "seed=0", "hydra.sweeper.num_trials=2")
    words = [*tiny_run.MODEL, "trainer.epochs=1", "data=json", *tiny_run.files_of(data, data), *space]
    done = tiny_run.call(tmp_path, "train", "sweep=optuna", "name=s", *words, "sweep.plan_only=true")
    assert done.code == 0, done.err
    plan = tmp_path / "multirun_outputs" / "s" / "plan.json"
    whole = json.loads(plan.read_text())

    def worked(*more: str, **changes: Any) -> tiny_run.Called:
        plan.write_text(json.dumps({**whole, **changes}))
        return tiny_run.call(tmp_path, "work", str(plan.parent), "--one", *more)

    refused = worked(code_hash="0" * 64)
    assert (refused.code, "planned by other code" in refused.last_line) == (2, True), refused.err
    done = worked("trainer.allow_drift=true", code_hash="0" * 64, settings={**whole["settings"], "threads": 3})
    assert done.code == 0, done.err
    (run,) = plan.parent.glob("optimizer*")
    assert json.loads((run / "env.json").read_text())["threads"] == 3
    odd = worked(settings={**whole["settings"], "corners": 3})
    assert (odd.code, "give the command" in odd.last_line) == (8, True), odd.err
    data.write_text(data.read_text() + " ")
    refused = worked()
    assert (refused.code, "are not those that were planned" in refused.last_line) == (2, True), refused.err


@pytest.mark.thorough
def test_a_job_that_somebody_stops_is_left_and_said_to_be(tmp_path: Path) -> None:
    """Not by the worker: a scheduler that starts the worker again for its exit code goes on with the job."""
    sweep = planned(tmp_path, *LONG, "seed=0")
    worker = process(tmp_path, "work", str(sweep))
    wait_until(lambda: bool(list(sweep.glob("*/checkpoints/step-*"))))
    (record,) = sweep.glob("*/run.json")
    os.kill(tiny_run.read_json(record)["pid"], signal.SIGTERM)
    ((code, said),) = run_ends([worker])
    assert (code, "jobs were stopped before their end; 1 job left" in said) == (75, True), said
    done = tiny_run.call(tmp_path, "work", str(sweep), "--one", "--for", "3h")
    assert (done.code, attempts(sweep)) == (0, [2]), done.err


def test_results_of_which_a_part_is_missing_are_written(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *WORDS, "reporter=plots", "seed=0")
    assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
    for name in ("sweep.csv", "report.html"):
        (sweep / name).unlink()
        assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
        assert (sweep / name).is_file()


@pytest.mark.thorough
def test_a_job_that_failed_before_ends_no_other_worker(tmp_path: Path) -> None:
    """A worker whose time is over, or that is stopped, says what is left: it shall be started again."""
    sweep = planned(tmp_path, *LONG, "seed=0,1")
    first, second = json.loads((sweep / "plan.json").read_text())["jobs"]
    with working(sweep) as claims:
        mine = claims.take(first["run_id"], None)
        assert mine is not None
        claims.end(mine, "failed", "killed", "killed by SIGKILL")
    worker = process(tmp_path, "work", str(sweep))
    wait_until(lambda: bool(list(sweep.glob("*/checkpoints/step-*"))))
    worker.send_signal(signal.SIGTERM)
    ((code, said),) = run_ends([worker])
    assert (code, "1 failed before and left alone (--retry runs them), 1 to run" in said) == (75, True), said
    assert "the same command continues" in said
    done = tiny_run.call(tmp_path, "work", str(sweep), "--job", str(sweep / second["path"]))
    assert done.code == 0, done.err
    assert tiny_run.call(tmp_path, "work", str(sweep), "--job", first["run_id"][:5]).code == 0


@pytest.mark.thorough
def test_a_plan_that_grew_meanwhile_is_told(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *LONG, "seed=0")
    worker = process(tmp_path, "work", str(sweep))
    wait_until(lambda: bool(list(sweep.glob("*/run.json"))))
    planned(tmp_path, *LONG, "seed=0,1")
    ((code, said),) = run_ends([worker])
    assert (code, "planned anew meanwhile" in said) == (75, True), said
    assert tiny_run.call(tmp_path, "work", str(sweep)).code == 0
    assert states(sweep) == ["completed"] * 2


def test_a_plan_is_told_through_a_link(tmp_path: Path) -> None:
    sweep = planned(tmp_path, *WORDS, "seed=0,1")
    (tmp_path / "link").symlink_to(sweep)
    assert tiny_run.call(tmp_path, "status", "link").out.count("planned") == 2
