"""An owner that was stopped wakes up after another machine has taken its directory over: it writes nothing more."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs import lock, owners
from qaexp.runs.readers.verification import verify_run
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import THOROUGH, Attempt, Attempts, Plan, dice
from tests.fixtures.patching import everywhere

ROUNDS = 50 if THOROUGH else 8
CALLS = ("open", "rename", "mkdir", "unlink", "fsync", "ftruncate")
STEAL = ("steal_lock=true",)


def other_machine(name: str) -> None:
    """Let this process be one of another machine."""
    here = {"host": name, "pid": os.getpid(), "boot_id": name}
    everywhere(setattr, owners.this_process, lambda: here)


def stopping_before(number: int) -> Plan:
    """A plan: stop, as a laptop that sleeps, right before the n-th call that changes the disk, all looks behind it."""

    def plan() -> None:
        other_machine("sleeper")
        calls = iter(range(1, sys.maxsize))
        for name in CALLS:
            _wrap(name, calls, number)

    return plan


def _wrap(name: str, calls: Any, number: int) -> None:
    original = getattr(os, name)

    def wrapped(*args: Any, **keywords: Any) -> Any:
        is_change = name != "open" or any(isinstance(flag, int) and flag & os.O_CREAT for flag in args[1:2])
        is_ours = "dir_fd" in keywords or "src_dir_fd" in keywords or name in ("fsync", "ftruncate")
        if is_change and is_ours and next(calls) == number:
            os.kill(os.getpid(), signal.SIGSTOP)
        return original(*args, **keywords)

    setattr(os, name, wrapped)


def wait_until_stopped(child: Attempt, directory: Path, seconds: float | None = None) -> bool:
    """Wait until a child stops by itself, or stop it after so many seconds of its work; False when it was over."""
    deadline = None
    while os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if deadline is None and seconds is not None and (directory / "run.json").exists():
            deadline = time.monotonic() + seconds
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child.pid, signal.SIGSTOP)
        time.sleep(0.01)
    found = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return found is not None and found.si_code == os.CLD_STOPPED


def waking(pid: int, when: str, *, day_ahead: bool) -> Plan:
    """A plan: wake the first owner up at a moment of the second one's work."""

    def plan() -> None:
        if day_ahead:
            tomorrow = owners.utc_now() + timedelta(days=1)
            everywhere(setattr, owners.utc_now, lambda: tomorrow)
            lock.fcntl.flock = lambda *_: None  # a lock that reaches no other machine
        if when:
            drill.planted(point)

    def point(name: str, path: Path) -> None:
        if f"{name}:{path.name}" == when:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)

    return plan


MOMENTS = ("", "append:metrics.jsonl", "rename:step-0000004", "open:predictions.jsonl", "rename:summary.json")
"""When the sleeper wakes up: after the other one has ended, or before a call of its own."""


@pytest.mark.thorough
@pytest.mark.fault("L1")
@pytest.mark.case("owner_that_wakes_up")
def test_an_owner_that_wakes_up(attempts: Attempts) -> None:
    seed, num_stopped = random.SystemRandom().randrange(2**32), 0
    with dice(seed) as draw:
        for number in range(ROUNDS):
            name = f"owners-{number}"
            num_stopped += one_round(attempts, name, draw, MOMENTS[number % len(MOMENTS)], by_call=number % 2 == 0)
            shutil.rmtree(attempts.directory(name))
        assert num_stopped >= 0.5 * ROUNDS


def holds(directory: Path, host: str) -> bool:
    """Does the lock's file name a process of this machine?"""
    lock_file = directory / ".lock"
    return lock_file.exists() and f'"host": "{host}"' in lock_file.read_text()


def one_round(attempts: Attempts, name: str, draw: random.Random, when: str, *, by_call: bool) -> bool:
    """Two owners of one run, the first of which sleeps for a while; True when it did before its end."""
    directory = attempts.directory(name)
    seconds = None if by_call else draw.uniform(0, 0.7)
    plan = stopping_before(draw.randrange(3, 180) if by_call else 0)
    sleeper = attempts.start(name, plan=plan)
    is_stopped = wait_until_stopped(sleeper, directory, seconds)
    if not is_stopped:
        assert sleeper.wait().code == 0
        return False
    had_completed, had_it = (directory / "summary.json").exists(), holds(directory, "sleeper")
    # Where a clock is a day ahead, nobody has to ask for the directory: the owner's heart seems to stand still.
    words = () if by_call and when else STEAL
    other = attempts.run(name, *words, plan=waking(sleeper.pid, when, day_ahead=not words))
    os.kill(sleeper.pid, signal.SIGCONT)
    ended = sleeper.wait()
    context = (name, when, by_call, ended.code, other.code, ended.said[-400:], other.said[-400:])
    if had_completed:
        assert (ended.code in (0, 4), other.code) == (True, 0), context
    elif not had_it and not words and other.code == 4:
        # It slept before it had the directory. Where no lock reaches and clocks are a day apart, each takes the other
        # one's heart for still, and the last one to take the directory has it, alone.
        assert ended.code == 0, context
        assert "taken it over" in other.last_line, context
    else:
        # Stopped before it held the directory, it finds another one at work in it, or the run completed.
        assert (ended.code in (0, 4), other.code) == (True, 0), context
        if ended.code == 4:
            assert "taken it over" in ended.last_line or "works in it" in ended.last_line or "just comp" in ended.said
    attempts.check(name, attempts.reference())
    found = verify_run(directory)
    assert (found.state, found.problems) == ("completed", []), context
    record = tiny_run.read_json(directory / "run.json")
    assert (record["state"], record["error"]) == ("completed", None), context
    return True
