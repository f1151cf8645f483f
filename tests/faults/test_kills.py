"""Runs that are killed anywhere, and started again by the same command: the bytes are those of an undisturbed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qaexp.evaluation.question_set import QuestionSet
from qaexp.runs import kept_checkpoints
from qaexp.runs.checkpoint import Content, commit_checkpoint
from qaexp.runs.kept_checkpoints import newest_checkpoint
from qaexp.runs.writing.reuse import clear
from qaexp.runs.writing.run import Run
from qaexp.training.state import TrainState
from tests import REPOSITORY
from tests.faults import teeth
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import KILL, THOROUGH, WORDS, Attempts, at_micro_batch, before_call, dice

KILLED = -signal.SIGKILL
# In the order in which a run comes by: each attempt goes on from what the one before it left and comes further.
PLACES = (
    "rename:run.json",
    "rename:config.json",
    "append:metrics.jsonl",
    "renamed:step-0000002",
    "truncate:metrics.jsonl",
    "rename:history.csv",
    "renamed:history.csv",
    "rename:step-0000003",
    "remove:step-0000002",
    "renamed:step-0000006",
    "rename:scores.csv",
    "rename:model",
    "rename:MANIFEST.json",
    "rename:summary.json",
    "remove:checkpoints",
)


def kill_often(attempts: Attempts, name: str, num_kills: int, seed: int) -> None:
    """Kill forked attempts at one run at random times; whenever one comes to its end, begin the next run."""
    began = time.monotonic()
    attempts.run(f"{name}-undisturbed")
    longest = time.monotonic() - began
    with dice(seed) as random:
        for number in range(num_kills):
            ended = attempts.start(name).kill_after(random.uniform(0, longest))
            if ended.code == 0:
                attempts.check(name, attempts.reference())
                name = f"{name}-{number}"
            else:
                assert ended.code == KILLED, ended.said
        attempts.finish(name)


def process(attempts: Attempts, name: str, **environment: str) -> subprocess.Popen[bytes]:
    """The command line in a process of its own."""
    ours = {"PYTHONPATH": str(REPOSITORY), "QAEXP_CACHE_DIR": str(attempts.folder / "cache")}
    return subprocess.Popen(
        [sys.executable, *teeth.program(), "train", f"name={name}", *WORDS],
        cwd=attempts.folder,
        env={**os.environ, **ours, **environment},
        stdout=subprocess.DEVNULL,
    )


def kill_processes(attempts: Attempts, num_runs: int, num_kills: int, seed: int) -> None:
    """Kill real processes at random times, many times a run."""
    began = time.monotonic()
    assert process(attempts, "measured").wait() == 0
    longest = time.monotonic() - began
    with dice(seed) as random:
        for run in range(num_runs):
            name = f"process-{run}"
            for _ in range(num_kills):
                child = process(attempts, name)
                time.sleep(random.uniform(0, longest))
                child.kill()
                assert child.wait() in (KILLED, 0)
            assert process(attempts, name).wait() == 0
            attempts.check(name, attempts.reference())


@pytest.mark.fault("K1")
def test_kills_at_any_time(attempts: Attempts) -> None:
    for place in PLACES:
        ended = attempts.run("places", plan=lambda place=place: os.environ.update(QAEXP_CRASH_AT=place))
        assert ended.code == KILLED, (place, ended.said)
    attempts.finish("places")
    kill_often(attempts, "random", 40 if THOROUGH else 5, seed=time.monotonic_ns())
    assert process(attempts, "process", QAEXP_CRASH_AT="rename:step-0000004").wait() == KILLED
    assert process(attempts, "process").wait() == 0
    attempts.check("process", attempts.reference())
    if THOROUGH:
        kill_processes(attempts, num_runs=10, num_kills=20, seed=time.monotonic_ns())


def content(text: str, *, dies: bool = False) -> Content:
    """A file of a checkpoint, in two chunks; or one whose process dies between them."""

    def chunks() -> Iterator[memoryview]:
        yield memoryview(text.encode())
        if dies:
            os._exit(drill.KILLED)
        yield memoryview(text.encode())

    return Content(2 * len(text), chunks)


def commit(directory: Path, step: int, text: str, *, dies: bool = False) -> None:
    files = {"a": content(f"a-{text}"), "b": content(f"b-{text}", dies=dies)}
    commit_checkpoint(directory, step, files, identity="x", records={})


def check_commit(directory: Path, code: int, place: object) -> None:
    """The old checkpoint stands or the new one, whole; and a start sweeps what else was left."""
    kept_checkpoints.put_back(directory)
    found, problems = newest_checkpoint(directory, "x")
    assert found is not None, place
    assert problems == [], place
    texts = [(found.path / name).read_text() for name in "ab"]
    assert texts in [[f"{name}-{text}" * 2 for name in "ab"] for text in (["old", "new"] if code else ["new"])], place
    clear(directory, resumed=True)
    assert list(directory.rglob(".tmp-*")) == [], place
    assert newest_checkpoint(directory, "x")[0] == found, place


def kill_at_every_call(folder: Path, step: int) -> int:
    """End at each call of a commit that follows one of step 1; returns how many calls there are."""
    number, code = 0, drill.KILLED
    while code:
        number += 1
        directory = folder / str(number)
        commit(directory, 1, "old")

        def work(directory: Path = directory, number: int = number) -> int:
            drill.planted(drill.At(number, drill.die))
            commit(directory, step, "new")
            return 0

        code = drill.in_child(work)
        assert code in (0, drill.KILLED)
        check_commit(directory, code, (step, number))
    return number


@pytest.mark.thorough
@pytest.mark.fault("K2")
def test_kills_at_every_call_that_changes_the_disk(attempts: Attempts, tmp_path: Path) -> None:
    # A checkpoint that was made before the evaluation of its step is replaced after it, so both are one of step 1.
    assert kill_at_every_call(tmp_path / "replaced", 1) > kill_at_every_call(tmp_path / "added", 2) > 20
    torn = tmp_path / "torn"
    commit(torn, 1, "old")
    assert drill.in_child(lambda: int(commit(torn, 2, "new", dies=True) or 0)) == drill.KILLED
    check_commit(torn, drill.KILLED, "between two chunks")

    num_calls = count_calls(attempts)
    for place in range(1, num_calls, 1 if THOROUGH else num_calls // 7):
        name = f"call-{place}"
        ended = attempts.run(name, plan=lambda place=place: drill.planted(drill.At(place, drill.die)))
        assert ended.code == drill.KILLED, (place, ended.said)
        attempts.finish(name)
        shutil.rmtree(attempts.directory(name))


def count_calls(attempts: Attempts) -> int:
    """How many calls of a whole run change the disk."""
    file, log = attempts.folder / "calls.txt", list[str]()

    def plan() -> None:
        drill.planted(drill.count_calls(log))
        before_call(os, "_exit", 1, lambda: file.write_text(str(len(log))))

    assert attempts.run("counted", plan=plan).code == 0
    return int(file.read_text())


# Each attempt of a run ends at one of these; an odd micro-batch stands inside an accumulation.
MOMENTS = {
    "inside an epoch": at_micro_batch(0, 4, KILL),
    "inside an accumulation": at_micro_batch(0, 5, KILL),
    "at an epoch's end": lambda: before_call(TrainState, "next_epoch", 1, KILL),
    "during an evaluation": lambda: before_call(QuestionSet, "score", 1, KILL),
    "after the last step": lambda: before_call(Run, "complete", 1, KILL),
}
PLANS = {
    "adamw": (),
    "sgd": ("trainer.keep=best", "trainer.early_stopping_patience=1", "trainer.epochs=4"),
    "adafactor": ("trainer.eval_every=2", "trainer.log_every=2", "trainer.checkpoint_every=null"),
    "muon": ("trainer.eval_every=2", "trainer.keep=best", "trainer.early_stopping_patience=1", "trainer.epochs=3"),
}


@pytest.mark.thorough
@pytest.mark.fault("K3")
def test_kills_at_every_moment_of_a_training(attempts: Attempts) -> None:
    for optimizer, more in PLANS.items():
        words = (f"optimizer={optimizer}", "optimizer.lr=3e-3", *more)
        for moment, plan in MOMENTS.items():
            ended = attempts.run(optimizer, *words, plan=plan)
            assert ended.code == KILLED, (optimizer, moment, ended.said)
        attempts.finish(optimizer, *words)
        record = tiny_run.read_json(attempts.directory(optimizer) / "run.json")
        num_steps = tiny_run.read_json(attempts.directory(optimizer) / "summary.json")["num_steps"]
        assert (record["attempt"], record["resumed_step"]) == (6, num_steps), optimizer
        stops_early = "trainer.early_stopping_patience=1" in more
        assert (num_steps < record["total_steps"]) == stops_early, optimizer


@pytest.mark.fault("K4")
def test_a_resumed_run_is_resumed(attempts: Attempts) -> None:
    generations = {None: at_micro_batch(0, 5, KILL), 2: at_micro_batch(1, 1, KILL), 3: at_micro_batch(1, 5, KILL)}
    for attempt, (step, plan) in enumerate(generations.items(), start=1):
        assert attempts.run("generations", plan=plan).code == KILLED
        record = tiny_run.read_json(attempts.directory("generations") / "run.json")
        assert (record["attempt"], record["resumed_step"]) == (attempt, step)
    attempts.finish("generations")
    record = tiny_run.read_json(attempts.directory("generations") / "run.json")
    assert (record["attempt"], record["resumed_step"]) == (4, 4)
