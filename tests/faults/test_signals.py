"""Runs that are asked to stop: by a scheduler, by a person, twice, and under Slurm."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from qaexp.evaluation.question_set import QuestionSet
from qaexp.runs.kept_checkpoints import newest_checkpoint
from qaexp.storage.signals import SIGNALS
from tests.fixtures import tiny_run
from tests.fixtures.attempts import (
    KILL,
    NUM_STEPS,
    THOROUGH,
    Attempts,
    Ended,
    Plan,
    at_micro_batch,
    at_point,
    before_call,
    dice,
    send,
)

TERM, INT, USR1, USR2 = SIGNALS[0], SIGNALS[1], SIGNALS[2], SIGNALS[3]
MICRO_BATCHES = [(epoch, micro_step) for epoch in (0, 1) for micro_step in range(NUM_STEPS)]


def both(*plans: Plan) -> Plan:
    """Several plans as one."""

    def plan() -> None:
        for each in plans:
            each()

    return plan


def step_of(epoch: int, micro_step: int) -> int:
    """The step (from 1) that a micro-batch is part of."""
    return epoch * NUM_STEPS // 2 + micro_step // 2 + 1


def check_stopped(attempts: Attempts, name: str, ended: Ended, code: int, step: int | None) -> None:
    """A run that was stopped says so, and its newest checkpoint is that of the step in which it was asked."""
    directory = attempts.directory(name)
    assert ended.code == code, ended.said
    record = tiny_run.read_json(directory / "run.json")
    kind = "interrupted" if code == 130 else "preempted"
    assert (record["state"], record["error"]["kind"]) == ("preempted", kind)
    assert list(directory.rglob(".tmp-*")) == []
    found, problems = newest_checkpoint(directory, record["identity"])
    assert problems == []
    assert (found.step if found else None) == step
    assert record["checkpoint_step"] == step


@pytest.mark.fault("K5")
def test_sigterm(attempts: Attempts) -> None:
    with dice(time.monotonic_ns()) as random:
        inside = [place for place in MICRO_BATCHES if place[1] % 2]
        places = MICRO_BATCHES if THOROUGH else [random.choice(inside), random.choice(MICRO_BATCHES)]
        for number, place in enumerate(places):
            name = f"term-{number}"
            ended = attempts.run(name, plan=at_micro_batch(*place, send(TERM)))
            check_stopped(attempts, name, ended, 75, step_of(*place))
            attempts.finish(name)
    # Between two steps nothing has to be waited for; before the first one there is nothing to store.
    for name, plan, step in (
        ("evaluation", lambda: before_call(QuestionSet, "score", 1, send(TERM)), NUM_STEPS // 2),
        ("start", at_point("append:train.log", send(TERM)), None),
    ):
        ended = attempts.run(f"term-{name}", plan=plan, shell=True)
        check_stopped(attempts, f"term-{name}", ended, 75, step)
        assert ended.last_line.strip() == (
            "qaexp train: stopped by SIGTERM; the same command continues where it stopped"
        )
        attempts.finish(f"term-{name}")


@pytest.mark.thorough
@pytest.mark.fault("K6")
def test_sigterm_and_more(attempts: Attempts) -> None:
    writing = "write:optimizer.safetensors"
    ended = attempts.run(
        "term-term", plan=both(at_micro_batch(1, 1, send(TERM, TERM)), at_point(writing, send(TERM), 3))
    )
    check_stopped(attempts, "term-term", ended, 75, 4)
    attempts.finish("term-term")
    ended = attempts.run("term-kill", plan=both(at_micro_batch(1, 3, send(TERM)), at_point(writing, KILL, 4)))
    assert ended.code == -signal.SIGKILL
    identity = tiny_run.read_json(attempts.directory("term-kill") / "run.json")["identity"]
    found, problems = newest_checkpoint(attempts.directory("term-kill"), identity)
    assert found is not None
    assert (found.step, problems) == (4, [])
    attempts.finish("term-kill")


@pytest.mark.thorough
@pytest.mark.fault("K7")
def test_ctrl_c(attempts: Attempts) -> None:
    cases = {
        "once": (at_micro_batch(1, 3, send(INT)), 5),
        # In the middle of a step that no checkpoint stands before: what is in memory then must not become one.
        "twice": (at_micro_batch(1, 5, send(INT, INT)), 4),
        "after-sigterm": (at_micro_batch(0, 3, send(TERM, INT)), None),
        # The second one comes while the first is obeyed: the checkpoint of step 5 is given up.
        "storing": (both(at_micro_batch(1, 3, send(INT)), at_point("write:optimizer.safetensors", send(INT), 4)), 4),
    }
    for name, (plan, step) in cases.items():
        ended = attempts.run(f"ctrl-c-{name}", plan=plan)
        check_stopped(attempts, f"ctrl-c-{name}", ended, 130, step)
        attempts.finish(f"ctrl-c-{name}")


class Slurm:
    """A job of Slurm, as far as a run sees it: variables, and a scontrol that notes what it is asked."""

    def __init__(self, folder: Path, exit_code: int = 0) -> None:
        self.log = folder / "scontrol.txt"
        self.log.touch()
        (folder / "bin").mkdir()
        script = folder / "bin" / "scontrol"
        script.write_text(f'#!/bin/sh\necho "$@" >> {self.log}\necho no >&2\nexit {exit_code}\n')
        script.chmod(0o755)
        self.path = f"{folder / 'bin'}:{os.environ['PATH']}"

    def job(self, plan: Plan, **variables: str) -> Plan:
        """A plan inside the job."""
        return both(lambda: os.environ.update(PATH=self.path, **variables), plan)

    def asked(self) -> list[str]:
        """What scontrol was asked since the last time."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.mark.thorough
@pytest.mark.fault("K8")
def test_slurm(attempts: Attempts, tmp_path: Path) -> None:
    slurm, outputs = Slurm(tmp_path), attempts.folder / "outputs"
    job: dict[str, Any] = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    before = set(outputs.iterdir())
    ended = attempts.run("", plan=slurm.job(at_micro_batch(0, 3, send(USR1)), **job), shell=True)
    assert slurm.asked() == ["requeue 12_3"]
    (directory,) = set(outputs.iterdir()) - before
    check_stopped(attempts, directory.name, ended, 75, 2)
    again = slurm.job(at_micro_batch(1, 1, send(USR2)), SLURM_RESTART_COUNT="1", **job)
    check_stopped(attempts, directory.name, attempts.run("", plan=again, shell=True), 75, 4)
    assert slurm.asked() == ["requeue 12_3"]
    ended = attempts.run("", plan=slurm.job(lambda: None, SLURM_RESTART_COUNT="2", **job), shell=True)
    assert ended.code == 0, ended.said
    assert set(outputs.iterdir()) - before == {directory}
    attempts.check(directory.name, attempts.reference())
    assert tiny_run.read_json(directory / "run.json")["attempt"] == 3

    stop = {number: at_micro_batch(0, 3, send(number)) for number in SIGNALS}
    for name, plan, code in (
        ("outside", slurm.job(stop[USR1]), 75),
        ("cancelled", slurm.job(stop[TERM], **job), 75),
        ("by-hand", slurm.job(stop[INT], **job), 130),
    ):
        check_stopped(attempts, name, attempts.run(name, plan=plan), code, 2)
        assert slurm.asked() == [], name
    (tmp_path / "refuses").mkdir()
    refuses = Slurm(tmp_path / "refuses", exit_code=1)
    check_stopped(attempts, "refused", attempts.run("refused", plan=refuses.job(stop[USR1], SLURM_JOB_ID="17")), 75, 2)
    assert refuses.asked() == ["requeue 17"]
