"""What a plan says about jobs of which there is nothing, a part, or all; and what plan.json and sweep.csv keep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qaexp.errors import BusyError, ConfigError, IntegrityError
from qaexp.runs.checkpoint import commit_checkpoint
from qaexp.runs.identity import code_hash
from qaexp.runs.owners import utc_now
from qaexp.storage.reading import MAX_JSON_BYTES
from qaexp.sweeps.again import command_of
from qaexp.sweeps.job import Job
from qaexp.sweeps.number_format import FORMATS, begun_formats
from qaexp.sweeps.outcome import FAILED, Outcome
from qaexp.sweeps.plan import ELSEWHERE, make_plan
from qaexp.sweeps.sweep_files import read_plan, write_plan, write_results
from tests.fixtures.checked import check_command_line
from tests.fixtures.compared import edit, rows_of, scores, write_run


def planned(sweep: Path, number: int, **changes: object) -> Job:
    """An identified job with a directory of its own; the config is the same for all."""
    words = tuple(f"{key}={value}" for key, value in changes.items()) or (f"seed={number}",)
    config = check_command_line(["model=tiny_random", f"seed={number}"])
    return replace(Job(words, words, config), sha256=f"{number:064x}", directory=sweep / f"job{number}")


def stood(job: Job, state: str, *, checkpoint: int | None = None) -> Job:
    """Leave a run in the job's directory as it is after some end."""
    write_run(job.folder, scores(0, 50, 40), summary={"total_seconds": 30.0})
    record = {"state": state, "code_hash": code_hash(), "error": {"kind": "data", "message": "first line\nsecond"}}
    edit(job.folder / "run.json", **record)
    if state != "completed":
        (job.folder / "summary.json").unlink()
    if checkpoint is not None:
        commit_checkpoint(job.folder, checkpoint, {}, identity="", records={})
    return job


def test_each_job_has_the_action_that_its_directory_asks_for(tmp_path: Path) -> None:
    jobs = [
        planned(tmp_path, 0),
        stood(planned(tmp_path, 1), "completed"),
        stood(planned(tmp_path, 2), "failed"),
        stood(planned(tmp_path, 3), "preempted", checkpoint=40),
    ]
    stood(planned(tmp_path, 9), "completed")
    plan = make_plan([*jobs, replace(jobs[0])], tmp_path)
    assert [one.action for one in plan.jobs] == ["run", "reuse", "retry", "resume"]
    assert [one.note for one in plan.jobs] == ["", "", "first line …", "after step 40; first line …"]
    assert plan.to_run == [jobs[0], jobs[2], jobs[3]]
    assert (plan.num_duplicates, plan.seconds) == (1, 30.0)
    assert [path.name for path in plan.others] == ["job9"]


def test_results_of_other_code_are_flagged(tmp_path: Path) -> None:
    job = stood(planned(tmp_path, 1), "completed")
    edit(job.folder / "run.json", code_hash="other")
    assert "another version" in make_plan([job], tmp_path).jobs[0].note


def test_a_job_that_another_process_works_on_is_waited_for_or_refused(tmp_path: Path) -> None:
    job = stood(planned(tmp_path, 1), "running")
    now = utc_now().isoformat(timespec="seconds")
    edit(job.folder / "run.json", pid=1, host="elsewhere", boot_id="x", heartbeat=now, updated=now)
    plan = make_plan([job], tmp_path)
    assert [(one.action, "works in it" in one.note) for one in plan.jobs] == [(ELSEWHERE, True)]
    assert plan.to_run == [job]
    with pytest.raises(BusyError, match="elsewhere"):
        plan.check_alone()  # other launchers than qaexp's share no jobs


def test_a_plan_is_read_back_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    jobs = [planned(tmp_path, number) for number in range(2)]
    settings = {"launcher": {"jobs": 2}, "on_failure": "stop_after:3", "max_checkpoint_mib": 100.0}
    write_plan(tmp_path, make_plan(jobs, tmp_path), ["qaexp", "train", "hf_secretsecretsecret"], settings)
    assert "hf_secretsecretsecret" not in (tmp_path / "plan.json").read_text()
    configs = iter(job.config for job in jobs)
    stored = read_plan(tmp_path, lambda tree: (next(configs), {}))
    assert [job.overrides for job in stored.jobs] == [job.overrides for job in jobs]
    assert (stored.launcher, stored.on_failure, stored.max_checkpoint_mib) == ({"jobs": 2}, "stop_after:3", 100.0)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"schema_version": 99}, ConfigError), ({"jobs": [{}]}, IntegrityError), ({"jobs": 3}, IntegrityError)],
)
def test_a_plan_that_cannot_be_trusted_is_refused(tmp_path: Path, change: dict[str, object], error: type) -> None:
    write_plan(tmp_path, make_plan([planned(tmp_path, 0)], tmp_path), [], {})
    edit(tmp_path / "plan.json", **change)
    with pytest.raises(error, match=r"plan\.json"):
        read_plan(tmp_path, lambda tree: check_command_line(["model=tiny_random"]))


def test_results_tell_every_job_and_are_not_touched_when_they_say_the_same(tmp_path: Path) -> None:
    jobs = [stood(planned(tmp_path, 0), "completed"), planned(tmp_path, 1), planned(tmp_path, 2)]
    outcomes = {jobs[1].sha256: Outcome(FAILED, "exit", "called sys.exit(0)")}
    rows, groups = write_results(tmp_path, jobs, outcomes)
    assert [row["state"] for row in rows] == ["completed", "failed", "planned"]
    assert rows[1]["error"] == {"kind": "exit", "message": "called sys.exit(0)"}
    assert [group.n for group in groups] == [1]
    table = rows_of(tmp_path / "sweep.csv")
    assert [row["state"] for row in table] == ["completed", "failed", "planned"]
    assert float(table[0]["f1"]) == json.loads((jobs[0].folder / "summary.json").read_text())["f1"]
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_results(tmp_path, jobs, outcomes)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_plan_of_very_many_jobs_is_read_and_not_refused_for_its_size(tmp_path: Path) -> None:
    job = planned(tmp_path, 0)
    write_plan(tmp_path, make_plan([job], tmp_path), ["qaexp", "train"], {FORMATS: {"cpu": "bf16"}})
    edit(tmp_path / "plan.json", padding="x" * MAX_JSON_BYTES)
    assert len(read_plan(tmp_path, lambda tree: (job.config, {})).jobs) == 1
    assert begun_formats(tmp_path) == {"cpu": "bf16"}
    assert command_of(tmp_path) is None
