"""`qaexp status`: where runs stand, told from their folders, which it leaves alone."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.commands.status import main
from qaexp.errors import ConfigError
from qaexp.runs.checkpoint import commit_checkpoint
from qaexp.runs.owners import this_process, utc_now
from qaexp.sweeps.plan import make_plan
from tests.fixtures import fake_run, tiny_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs in every state, and a folder that is none."""
    parent = tmp_path / "outputs"
    for name in ("completed", "failed", "killed", "preempted", "running", "elsewhere"):
        fake_run.build(parent / name, num_examples=8, num_steps=6, num_epochs=1)
    error = {"kind": "data", "message": "dev.json: no JSON\nsecond line"}
    change(parent / "failed", state="failed", error=error)
    change(parent / "preempted", state="preempted", error={"kind": "preempted", "message": "stopped by SIGTERM"})
    now = utc_now().isoformat(timespec="seconds")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    change(parent / "killed", state="running", heartbeat=now, **{**this_process(), "pid": int(dead.stdout)})
    change(parent / "running", state="running", heartbeat=now, **this_process())
    other = {"host": "another-machine", "pid": os.getpid(), "boot_id": "x"}
    change(parent / "elsewhere", state="running", heartbeat="2020-01-01T00:00:00+00:00", **other)
    (parent / "foreign").mkdir()
    (parent / "foreign" / "run.json").write_text("{")
    return parent


def change(run: Path, **changes: Any) -> None:
    if changes.get("state") != "completed":
        (run / "summary.json").unlink(missing_ok=True)
    (run / "run.json").write_text(json.dumps({**tiny_run.read_json(run / "run.json"), **changes}))


def told(folder: Path) -> dict[str, dict[str, Any]]:
    done = tiny_run.call(folder, "status", str(folder), "--json")
    assert done.code == 0, done.err
    return {Path(run["path"]).name: run for run in json.loads(done.out)["runs"]}


def test_every_state(folder: Path) -> None:
    found = told(folder)
    assert {name: run["state"] for name, run in found.items()} == {
        "completed": "completed",
        "elsewhere": "killed",
        "failed": "failed",
        "killed": "killed",
        "preempted": "preempted",
        "running": "running",
    }
    assert {name for name, run in found.items() if run["is_resumable"]} == {
        "elsewhere",
        "failed",
        "killed",
        "preempted",
    }
    assert found["failed"]["error"] == "dev.json: no JSON …"
    assert found["running"]["age_seconds"] < 60
    assert found["completed"]["epoch"] == 1
    assert found["completed"]["loss"] > 0


def test_what_is_no_run_is_told_with_its_reason(folder: Path) -> None:
    (skipped,) = json.loads(tiny_run.call(folder, "status", str(folder), "--json").out)["skipped"]
    assert (Path(skipped["path"]).name, skipped["state"]) == ("foreign", "damaged")
    assert "run.json" in skipped["reason"]
    assert "foreign" in tiny_run.call(folder, "status", str(folder)).out


def test_a_pipe_gets_whole_lines_and_nothing_is_written(folder: Path) -> None:
    before = tiny_run.snapshot(folder)
    done = subprocess.run(
        [sys.executable, "-m", "qaexp", "status", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=environ(),
    )
    assert f"qaexp resume {folder / 'failed'} starts over; dev.json: no JSON …" in done.stdout
    assert all(str(folder / name) in done.stdout for name in ("completed", "killed", "running"))
    assert tiny_run.snapshot(folder) == before


KEPT = {"step": "num_steps", "epoch": "kept_epoch", "loss": "train_loss", "f1": "f1"}


def test_a_completed_run_tells_the_numbers_of_its_summary(folder: Path) -> None:
    summary = tiny_run.read_json(folder / "completed" / "summary.json")
    found = told(folder)
    assert {key: found["completed"][key] for key in KEPT} == {key: summary[name] for key, name in KEPT.items()}
    # One that runs has no summary: the last record counts.
    last = tiny_run.read_lines(folder / "running" / "metrics.jsonl")[-1]
    assert {key: found["running"][key] for key in ("step", "epoch", "loss")} == {
        key: last[key] for key in ("step", "epoch", "loss")
    }
    with (folder / "running" / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert found["running"]["f1"] == float(row["f1"]) != summary["f1"]


@pytest.mark.parametrize(
    "words",
    [
        ("trainer.epochs=6", "trainer.early_stopping_patience=1", "trainer.keep=last"),
        ("trainer.epochs=6", "trainer.early_stopping_patience=1", "trainer.keep=best"),
        ("trainer.epochs=2", "trainer.eval_every=2", "trainer.keep=best"),
        ("trainer.epochs=1", "trainer.max_steps=2"),
        ("trainer.epochs=0",),
    ],
)
def test_steps_and_scores_are_those_of_the_summary(tmp_path: Path, words: tuple[str, ...]) -> None:
    # Records every fourth step: the last one is not the last step.
    run = tiny_run.train(tmp_path, "one", *tiny_run.DEMO, "optimizer.lr=3e-3", *words, "trainer.log_every=4")
    summary = tiny_run.read_json(run / "summary.json")
    found = told(tmp_path / "outputs")["one"]
    assert {key: found[key] for key in KEPT} == {key: summary[name] for key, name in KEPT.items()}
    row = tiny_run.call(tmp_path, "status", "outputs").out.splitlines()[1]
    assert ("ended before step" in row) == (summary["num_steps"] < (found["total_steps"] or 0))


@pytest.mark.parametrize("name", ["failed", "killed", "preempted", "running"])
@pytest.mark.parametrize(("at_row", "at_checkpoint", "told_step"), [(0, 4, 4), (6, 4, 6), (4, None, 4)])
def test_the_step_is_the_greatest_that_is_known(
    folder: Path, name: str, at_row: int, at_checkpoint: int | None, told_step: int
) -> None:
    run = folder / name
    # Records every tenth step: there is none yet.
    (run / "metrics.jsonl").unlink()
    (run / "history.csv").write_text(f"epoch,step,train_loss,f1\n0.5,{at_row},5.25,18.8\n")
    if at_checkpoint is not None:
        commit_checkpoint(run, at_checkpoint, {}, identity="", records={})
    found = told(folder)[name]
    assert (found["step"], found["epoch"], found["loss"], found["f1"]) == (told_step, 0.5, 5.25, 18.8)
    (row,) = [line for line in tiny_run.call(folder, "status", str(run)).out.splitlines() if str(run) in line]
    total = f"/{found['total_steps']}" if found["total_steps"] else ""
    assert f" {told_step}{total} " in row


def test_a_record_after_the_last_evaluation_counts(folder: Path) -> None:
    run = folder / "running"
    (run / "history.csv").write_text("epoch,step,train_loss,f1\n0.5,4,5.25,18.8\n")
    (run / "metrics.jsonl").write_text('{"step": 5, "epoch": 0.625, "loss": 4.5}\n')
    found = told(folder)["running"]
    assert (found["step"], found["epoch"], found["loss"], found["f1"]) == (5, 0.625, 4.5, 18.8)


def test_a_run_that_went_back_behind_a_damaged_checkpoint_tells_its_own_step(folder: Path) -> None:
    run = folder / "running"
    for step in (2, 6):
        commit_checkpoint(run, step, {}, identity="", records={})
    (run / "history.csv").unlink()
    (run / "metrics.jsonl").write_text('{"step": 3, "epoch": 0.5, "loss": 4.5}\n')
    change(run, resumed_step=2, checkpoint_step=2)
    found = told(folder)["running"]
    assert (found["step"], found["checkpoint_step"]) == (3, 2)


def test_a_job_that_waits_is_told_once(folder: Path) -> None:
    (folder / "waiting").mkdir()
    (folder / "plan.json").write_text(json.dumps({"jobs": [{"path": "waiting"}, {"path": "completed"}]}))
    assert told(folder)["waiting"]["state"] == "planned"
    assert "waiting: skipped" not in tiny_run.call(folder, "status", str(folder)).out


def environ() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "40"}


def test_names_that_would_steer_a_terminal_are_shown(folder: Path) -> None:
    change(folder / "failed", error={"kind": "data", "message": "\x1b]0;title\x07 [bold]no[/bold]"})
    out = tiny_run.call(folder, "status", str(folder)).out
    assert "\x1b" not in out
    assert "[bold]no[/bold]" in out


@pytest.mark.parametrize("command", ["status", "verify"])
def test_it_loads_no_heavy_library(folder: Path, command: str) -> None:
    code = (
        f"import sys; from qaexp.cli import main; main([{command!r}, {str(folder / 'completed')!r}]); "
        "print([name for name in ('torch', 'transformers', 'datasets', 'hydra', 'omegaconf') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert out.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("value", ["high", [1], {"a": 1}, True, 10**400])
def test_what_is_no_number_is_not_shown_as_one(tmp_path: Path, value: Any) -> None:
    run = fake_run.build(tmp_path / "one", num_examples=8, num_steps=6, num_epochs=1)
    summary = tiny_run.read_json(run / "summary.json")
    edited = dict.fromkeys(("f1", "kept_epoch", "train_loss", "num_steps", "total_seconds"), value)
    (run / "summary.json").write_text(json.dumps({**summary, **edited}))
    record = dict.fromkeys(("total_steps", "attempt", "resumed_step", "stage"), value)
    (run / "run.json").write_text(json.dumps({**tiny_run.read_json(run / "run.json"), **record}))
    assert told(tmp_path)["one"]["f1"] is None
    done = tiny_run.call(tmp_path, "status", str(run))
    assert done.code == 0, done.err
    assert f"{run}" in done.out
    assert make_plan([], tmp_path).seconds is None


def test_alone_it_shows_what_runs_and_sweeps_are_left_in(folder: Path) -> None:
    place = folder.parent
    (folder / "foreign" / "run.json").unlink()
    (folder / "foreign").rmdir()
    fake_run.build(place / "multirun_outputs" / "grid" / "seed=0", num_examples=8, num_steps=6, num_epochs=1)
    paths = [run["path"] for run in json.loads(tiny_run.call(place, "status", "--json").out)["runs"]]
    both = json.loads(tiny_run.call(place, "status", "outputs", "multirun_outputs", "--json").out)["runs"]
    assert paths == [run["path"] for run in both]
    assert len(paths) == 7
    assert "multirun_outputs/grid/seed=0" in tiny_run.call(place, "status").out


def test_alone_it_says_where_it_looked_in_vain(tmp_path: Path) -> None:
    done = tiny_run.call(tmp_path, "status")
    assert (done.code, done.err) == (0, "")
    assert done.out == "no runs here: neither outputs/ nor multirun_outputs/ holds one; qaexp train starts one\n"
    assert json.loads(tiny_run.call(tmp_path, "status", "--json").out) == {"runs": [], "skipped": []}
    (tmp_path / "outputs").mkdir()
    assert tiny_run.call(tmp_path, "status").code == 0


@pytest.mark.parametrize("given", [".", "multirun_outputs", "multirun_outputs/grid"])
def test_a_job_that_waits_is_told_once_however_deep_it_lies(tmp_path: Path, given: str) -> None:
    sweep = tmp_path / "multirun_outputs" / "grid"
    (sweep / "seed=1").mkdir(parents=True)
    (sweep / "plan.json").write_text(json.dumps({"jobs": [{"path": "seed=1"}, {"path": "seed=2"}]}))
    (sweep / "report_figures").mkdir()
    (sweep / "report_figures" / "quality.png").touch()
    found = json.loads(tiny_run.call(tmp_path, "status", given, "--json").out)
    assert [(Path(run["path"]).name, run["state"]) for run in found["runs"]] == [
        ("seed=1", "planned"),
        ("seed=2", "planned"),
    ]
    assert found["skipped"] == []


def test_a_glob_over_a_sweep_names_its_jobs_and_nothing_that_qaexp_made(tmp_path: Path) -> None:
    sweep = tmp_path / "grid"
    fake_run.build(sweep / "seed=0", num_examples=8, num_steps=6, num_epochs=1)
    (sweep / "seed=1").mkdir()
    (sweep / "plan.json").write_text(json.dumps({"jobs": [{"path": "seed=0"}, {"path": "seed=1"}]}))
    for name in ("report.html", "sweep.json", "sweep.csv"):
        (sweep / name).write_text("{}")
    for name in ("report_figures", "plots"):
        (sweep / name).mkdir()
        (sweep / name / "a.png").touch()
    words = [str(path.relative_to(tmp_path)) for path in sorted(sweep.iterdir())]
    found = json.loads(tiny_run.call(tmp_path, "status", *words, "--json").out)
    assert [run["state"] for run in found["runs"]] == ["completed", "planned"]
    assert found["skipped"] == []


def test_a_run_that_several_paths_lead_to_is_told_once(folder: Path) -> None:
    done = tiny_run.call(folder.parent, "status", "outputs", "outputs/failed", "./outputs", str(folder), "--json")
    names = [Path(run["path"]).name for run in json.loads(done.out)["runs"]]
    assert len(names) == len(set(names)) == 6


def test_a_watch_needs_a_terminal(folder: Path) -> None:
    done = tiny_run.call(folder.parent, "status", "outputs", "--watch")
    assert done.code == 0
    once = tiny_run.call(folder.parent, "status", "outputs").out
    assert re.sub(r"\d+ s ago", "ago", done.out) == re.sub(r"\d+ s ago", "ago", once)  # a second may begin in between
    assert done.err == "qaexp status: --watch needs a terminal, and stdout is not one, so this was printed once\n"
    both = tiny_run.call(folder.parent, "status", "outputs", "--watch", "--json")
    assert (both.code, "--watch" in both.last_line, "--json" in both.last_line) == (2, True, True)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_typed_path_that_does_not_exist_is_refused(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(ConfigError, match="there is no such file or folder"):
        main([str(tmp_path), str(tmp_path / "nope"), *options])
