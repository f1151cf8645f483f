"""What a terminal and a pipe show of a sweep."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from qaexp.runs.readers.progress import Progress
from qaexp.storage.signals import watched
from qaexp.sweeps.job import Job
from qaexp.sweeps.onlooker import Onlooker, looked_at
from qaexp.sweeps.outcome import Outcome
from qaexp.sweeps.overall import overall, seconds_left
from qaexp.sweeps.plan import Plan, PlannedJob
from qaexp.sweeps.view import MOST_SHOWN, STOPPING, SweepView, grouped_failures, print_plan
from tests.fixtures import fake_run, tiny_run
from tests.fixtures.checked import check_command_line


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    config = check_command_line(["model=tiny_random"])
    labels = ("seed=0", "seed=1", "name=[bold]\x1b]0;x\x07[/bold]")
    jobs = [Job((label,), (label,), config).identified(f"{n}" * 64, tmp_path) for n, label in enumerate(labels)]
    actions = ("reuse", "resume", "run")
    return Plan([PlannedJob(job, action) for job, action in zip(jobs, actions, strict=True)], 2, [tmp_path], 90.0)


def show(plan: Plan, *, is_terminal: bool) -> str:
    out = StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=200, color_system=None)
    print_plan(console, plan, 1)
    with SweepView(console, plan) as view:
        job = plan.jobs[1].job
        view.started(job)
        if not job.folder.exists():
            fake_run.build(job.folder, num_examples=8, num_steps=6, num_epochs=1)
        view.tick([job])
        view.ended(job, Outcome("failed", "bug", "RuntimeError: no"), 61.0)
        view.started(plan.jobs[2].job)
    return out.getvalue()


def test_the_plan_says_what_is_done_and_how_long_it_takes(plan: Plan) -> None:
    shown = show(plan, is_terminal=False)
    assert "3 jobs: 1 to reuse, 1 to resume, 1 to run; about 3 min 0 s, as a completed job took 1 min 30 s" in shown
    assert "2 jobs left out" in shown
    words = "here: of other values, data or weights, or under a name of its own"
    assert f"1 other run stands {words}; it is left as it is\n" in shown


def test_one_job_and_several_other_runs_are_counted_in_words(plan: Plan, tmp_path: Path) -> None:
    one = replace(plan, jobs=plan.jobs[:1], num_duplicates=1, others=[tmp_path, tmp_path / "b"])
    out = StringIO()
    print_plan(Console(file=out, width=200), one, 1)
    assert "1 job: 1 to reuse" in out.getvalue()
    assert "1 job left out: another" in out.getvalue()
    assert "2 other runs stand here: of other values" in out.getvalue()
    assert "of its own; they are left as they are" in out.getvalue()


def test_a_pipe_gets_a_line_for_each_event(plan: Plan) -> None:
    shown = show(plan, is_terminal=False)
    assert "[2/3] seed=1: started" in shown
    assert "[2/3] seed=1: epoch 1" in shown
    assert "[2/3] seed=1: failed after 1 min 1 s: RuntimeError: no (2 of 3 jobs ended)" in shown


def test_the_end_of_a_run_tells_the_numbers_of_its_summary(plan: Plan) -> None:
    shown = show(plan, is_terminal=False)
    summary = tiny_run.read_json(plan.jobs[1].job.folder / "summary.json")
    numbers = f"epoch 1 (kept)  step {summary['num_steps']}  loss {summary['train_loss']:.3f}  f1 {summary['f1']:.1f}"
    assert f"[2/3] seed=1: {numbers}" in shown


def test_a_terminal_sees_how_far_the_whole_sweep_is(plan: Plan) -> None:
    shown = show(plan, is_terminal=True)
    assert re.search(r"1 of 3 completed, 1 failed, 1 running; \d+ s so far, about \d+ s left", shown)
    assert "jobs ended" not in shown


def test_a_stop_is_said_at_once_and_once(plan: Plan) -> None:
    out = StringIO()
    with watched(is_alone=False), SweepView(Console(file=out, width=200), plan) as view:
        view.tick([])
        assert STOPPING not in out.getvalue()
        os.kill(os.getpid(), signal.SIGINT)
        view.tick([])
        view.tick([])
    assert out.getvalue().count(STOPPING) == 1


def test_the_time_that_is_left_follows_from_what_is_done() -> None:
    half = Progress(Path("b"), "running", None, 5, 10, None, None, None, None, 1, None, None)
    states = {"a": "completed", "b": "running", "c": "", "d": "reused", "e": "failed"}
    assert seconds_left(states, {"b": half}, 100.0) == pytest.approx(100 / 2.5 * 1.5)
    assert seconds_left({"a": "running", "b": ""}, {}, 100.0) is None
    assert seconds_left({"a": "completed", "d": "reused"}, {}, 100.0) is None
    assert overall(states, {}, 65.0).startswith("2 of 5 completed, 1 running, 1 failed; 1 min 5 s so far, about ")


class Told:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def started(self, job: Job) -> None:
        self.words.append(f"{job.label} started")

    def ended(self, job: Job, outcome: Outcome, seconds: float) -> None:
        self.words.append(f"{job.label} {outcome.state}")

    def tick(self, running: Sequence[Job]) -> tuple[()]:
        self.words.append(f"{len(running)} running")
        return ()


def test_jobs_of_another_launcher_are_told_by_their_folders(plan: Plan) -> None:
    jobs, told = [planned.job for planned in plan.jobs], Told()
    onlooker = Onlooker(jobs, told)
    onlooker.see()
    fake_run.build(jobs[0].folder, num_examples=8, num_steps=6, num_epochs=1)
    onlooker.see()
    onlooker.see()
    onlooker.close({jobs[1].sha256: Outcome("failed", "bug", "no"), jobs[0].sha256: Outcome("completed")})
    assert told.words == [
        "0 running",
        *("seed=0 started", "seed=0 completed", "0 running", "0 running"),
        *("seed=1 started", "seed=1 failed"),
    ]


def test_other_launchers_are_looked_at_until_they_are_done(plan: Plan) -> None:
    told = Told()
    with looked_at([planned.job for planned in plan.jobs], told, seconds=0.001):
        deadline = time.monotonic() + 30
        while not told.words and time.monotonic() < deadline:
            time.sleep(0.001)
    assert told.words
    assert "qaexp-onlooker" not in {each.name for each in threading.enumerate()}


def test_a_terminal_gets_a_table(plan: Plan) -> None:
    shown = show(plan, is_terminal=True)
    assert "started" not in shown
    last = shown[shown.rindex("what differs") :]
    assert all(word in last for word in ("reused", "failed", "running", "seed=1"))


def test_labels_steer_no_terminal(plan: Plan) -> None:
    for is_terminal in (False, True):
        shown = show(plan, is_terminal=is_terminal)
        assert "[bold]" in shown
        assert "\x1b]0;" not in shown


def test_failures_are_grouped_by_what_went_wrong(tmp_path: Path) -> None:
    rows = [
        {"is_planned": True, "state": "failed", "path": name, "error": {"message": f"{tmp_path / name}/x: full"}}
        for name in ("a", "b")
    ]
    rows += [{"is_planned": True, "state": "completed", "path": "c", "error": None}]
    assert {message: len(failed) for message, failed in grouped_failures(rows, tmp_path).items()} == {
        "<run>/x: full": 2
    }


def many(tmp_path: Path, number: int) -> Plan:
    config = check_command_line(["model=tiny_random"])
    words = [(f"seed={place}",) for place in range(number)]
    jobs = [Job(one, one, config).identified(f"{place:064x}"[::-1], tmp_path, {}) for place, one in enumerate(words)]
    return Plan([PlannedJob(job, "run") for job in jobs])


def test_a_plan_of_many_jobs_ends_and_says_how_to_see_all(tmp_path: Path) -> None:
    out = StringIO()
    print_plan(Console(file=out, width=200), many(tmp_path, MOST_SHOWN + 12), 1)
    lines = out.getvalue().splitlines()
    assert sum("seed=" in line for line in lines) == MOST_SHOWN
    assert f"12 more jobs; once it is begun, qaexp status {tmp_path} --all shows all" in out.getvalue()
    assert lines[-1] == "42 jobs: 42 to run"
    out = StringIO()
    print_plan(Console(file=out, width=200), many(tmp_path, MOST_SHOWN), 1)
    assert "more job" not in out.getvalue()


def test_of_many_jobs_a_terminal_shows_what_runs_then_what_failed_then_the_newest(tmp_path: Path) -> None:
    out = StringIO()
    plan = many(tmp_path, MOST_SHOWN + 12)
    jobs = [planned.job for planned in plan.jobs]
    with SweepView(Console(file=out, force_terminal=True, width=200, height=99, color_system=None), plan) as view:
        for place, state in ((0, "completed"), (35, "completed"), (1, "failed")):
            view.started(jobs[place])
            view.ended(jobs[place], Outcome(state, "bug", "no"), 1.0)
        view.started(jobs[40])
    last = out.getvalue()[out.getvalue().rindex("what differs") :].splitlines()
    assert [line.split()[1] for line in last[1:6]] == ["seed=40", "seed=1", "seed=35", "seed=0", "seed=2"]
    assert sum("seed=" in line for line in last) == MOST_SHOWN
    assert f"12 more jobs; qaexp status {tmp_path} --all" in last[MOST_SHOWN + 1]
