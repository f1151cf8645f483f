"""`qaexp resume` and `qaexp status` of a sweep: from its folder alone, from anywhere, with nothing in it believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qaexp.runs.directory import HYDRA_FILES
from qaexp.runs.readers.typed import typed
from tests.fixtures import drill, planted, tiny_run
from tests.fixtures.workers import WORDS as JOBS
from tests.fixtures.workers import planned

WORDS = (*tiny_run.MODEL, *planted.WORDS, "data.train_size=12", "data.dev_size=8", "trainer.epochs=1", "threads=1")


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of three jobs that ended after the first one failed."""
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)
    (tmp_path / planted.SWITCH).touch()
    done = tiny_run.call(
        tmp_path, "train", "-m", "name=s", *WORDS, "+optimizer.how=raise,b,c", "sweep.on_failure=stop_after:1"
    )
    assert done.code == 10
    return tmp_path / "multirun_outputs" / "s"


def test_status_shows_every_job(stopped: Path) -> None:
    before = tiny_run.snapshot(stopped)
    for path in (stopped, stopped.parent):
        done = tiny_run.call(stopped, "status", str(path), "--json")
        assert done.code == 0
        runs = json.loads(done.out)["runs"]
        assert [run["state"] for run in runs] == ["failed", "planned", "planned"]
        assert "planted" in runs[0]["error"]
    text = tiny_run.call(stopped, "status", str(stopped)).out
    assert text.count("planned") == 2
    assert tiny_run.snapshot(stopped) == before


def test_resume_runs_what_is_missing_from_anywhere(stopped: Path, tmp_path: Path) -> None:
    (tmp_path / planted.SWITCH).unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    plan = json.loads((stopped / "plan.json").read_text())
    plan["jobs"][1]["hydra"]["../../outside.yaml"] = {"a": 1}
    (stopped / "plan.json").write_text(json.dumps(plan))
    done = tiny_run.call(elsewhere, "resume", str(stopped))
    assert done.code == 0, done.err
    assert "3 jobs: 1 to retry, 2 to run" in done.out
    jobs = json.loads((stopped / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["completed"] * 3
    # All know what was chosen and typed for them, those too that resume started first.
    for job in jobs:
        assert typed(stopped / job["path"]).choices["model"] == "tiny_random"
        assert typed(stopped / job["path"]).words["optimizer.how"] == job["changes"]["optimizer.how"]
        assert sorted(path.name for path in (stopped / job["path"] / ".hydra").iterdir()) == sorted(HYDRA_FILES)
    assert not list(tmp_path.rglob("outside.yaml"))
    # The command that started it finds nothing to do, and the bytes are those of single runs.
    again = tiny_run.call(tmp_path, "train", "-m", "name=s", *WORDS, "+optimizer.how=raise,b,c")
    assert "3 jobs: 3 to reuse" in again.out
    assert "already completed: 3 jobs; nothing to do (another name= runs all again)\n" in again.out
    single = tiny_run.train(tmp_path, "single", *WORDS, "+optimizer.how=b")
    assert drill.fingerprints(single) == drill.fingerprints(stopped / jobs[1]["path"])


def test_what_stands_in_a_plan_is_data(stopped: Path) -> None:
    good = (stopped / "plan.json").read_text()

    def resumed(code: int, says: str, **changes: object) -> None:
        changed = json.loads(good)
        changed.update(changes)
        (stopped / "plan.json").write_text(json.dumps(changed))
        done = tiny_run.call(stopped.parent, "resume", str(stopped))
        assert (done.code, says in done.err, "Traceback" in done.err) == (code, True, False), done.err

    jobs = json.loads(good)["jobs"]
    jobs[1]["config"]["optimizer"]["_target_"] = "os.system"
    resumed(8, "os.system", jobs=jobs)
    jobs = json.loads(good)["jobs"]
    jobs[1]["config"]["name"] = "${oc.env:HOME}"
    resumed(2, "${oc.env:HOME}", jobs=jobs)
    resumed(8, "is no plan", jobs=[{"config": {}}])
    resumed(8, "settings", settings={"launcher": {"job": 1}})
    resumed(8, "settings", settings={"launcher": {"jobs": 1}, "on_failure": "stop_after:x"})
    resumed(2, "newer", schema_version=99)
    resumed(2, "another launcher", settings={"launcher": None})
    (stopped / "plan.json").write_text(good)
    assert tiny_run.call(stopped, "resume", str(stopped), "optimizer.lr=1").code == 2


def test_resume_computes_with_the_threads_that_were_planned(tmp_path: Path) -> None:
    """However many cores this machine has: the others' runs of this sweep have their bits."""
    sweep = planned(tmp_path, *JOBS[:-1], "seed=0")
    plan = json.loads((sweep / "plan.json").read_text())
    (sweep / "plan.json").write_text(json.dumps({**plan, "settings": {**plan["settings"], "threads": 3}}))
    done = tiny_run.call(tmp_path, "resume", str(sweep))
    assert done.code == 0, done.err
    (run,) = sweep.glob("*-????????")
    assert json.loads((run / "env.json").read_text())["threads"] == 3
