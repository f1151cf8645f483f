"""Several processes that want one directory, locks whose owner is gone, and clocks that cannot be trusted."""

from __future__ import annotations

import datetime as clock
import json
import os
import re
import secrets
import select
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from qaexp.commands import composed
from qaexp.data.pipeline import DataPipeline
from qaexp.runs import owners
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import KILL, THOROUGH, Attempt, Attempts, Ended, at_micro_batch, before_call

LONGEST_WAIT = 60.0


def read(pipe: int) -> bytes:
    """One byte that another process writes, or nothing after a long time."""
    ready, _, _ = select.select([pipe], [], [], LONGEST_WAIT)
    return os.read(pipe, 1) if ready else b""


def start_together(attempts: Attempts, name: str) -> tuple[list[int], list[Ended]]:
    """Start two attempts at one run at the same moment; who has got in waits until the other one is over.

    Returns:
        Their pids, and how they ended, both in the order of their ends.
    """
    begin, inside, go_on = os.pipe(), os.pipe(), os.pipe()

    def plan() -> None:
        def wait() -> None:
            os.write(inside[1], b"x")
            read(go_on[0])

        before_call(DataPipeline, "load", 1, wait)
        assert read(begin[0])

    children = {child.pid: child for child in (attempts.start(name, plan=plan) for _ in range(2))}
    os.write(begin[1], b"xx")
    assert read(inside[0]) == b"x"
    is_alone = one_is_over(children, inside[0])
    os.write(go_on[1], b"xx")
    ended = {pid: child.wait() for pid, child in children.items()}
    for pipe in (*begin, *inside, *go_on):
        os.close(pipe)
    assert is_alone, "both got in"
    pids = sorted(ended, key=lambda pid: ended[pid].code, reverse=True)
    return pids, [ended[pid] for pid in pids]


def one_is_over(children: dict[int, Attempt], inside: int) -> bool:
    """Wait until one of two children is over; False when both of them got in."""
    while True:
        for pid in children:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return True
        if select.select([inside], [], [], 0.02)[0]:
            return False


@pytest.mark.thorough
@pytest.mark.fault("S6")
def test_two_processes_in_one_directory(attempts: Attempts) -> None:
    for number in range(20 if THOROUGH else 3):
        name = f"together-{number}"
        (_, winner), (refused, done) = start_together(attempts, name)
        assert (refused.code, done.code) == (4, 0), (refused.said, done.said)
        assert f"process {winner} on {socket.gethostname()} works in it" in refused.last_line
        assert "choose another name" in refused.last_line
        attempts.check(name, attempts.reference())
        record = tiny_run.read_json(attempts.directory(name) / "run.json")
        assert (record["attempt"], record["pid"]) == (1, winner)


def owned(directory: Path, *, seconds_ago: float, **owner: Any) -> None:
    """Let run.json say that another process works there."""
    beat = owners.utc_now() - clock.timedelta(seconds=seconds_ago)
    record = json.loads((directory / "run.json").read_text())
    changed = {**record, "state": "running", "heartbeat": beat.isoformat(), **owner}
    (directory / "run.json").write_text(json.dumps(changed))
    (directory / ".lock").write_text(json.dumps(owner))


@pytest.mark.thorough
@pytest.mark.fault("S7")
def test_stale_locks(attempts: Attempts) -> None:
    def left_behind(name: str) -> Path:
        killed = attempts.run(name, plan=at_micro_batch(1, 1, KILL))
        assert killed.code == -signal.SIGKILL
        return attempts.directory(name)

    left_behind("killed")
    ended = attempts.finish("killed")
    assert "lock" not in ended.said

    elsewhere = {"host": "elsewhere", "pid": 4321, "boot_id": "another"}
    directory = left_behind("elsewhere")
    owned(directory, seconds_ago=100, **elsewhere)
    before = (directory / "run.json").read_bytes()
    refused = attempts.run("elsewhere")
    assert refused.code == 4, refused.said
    assert "process 4321 on elsewhere works in it" in refused.last_line
    assert "steal_lock=true takes the directory over" in refused.last_line
    assert (directory / "run.json").read_bytes() == before
    attempts.finish("elsewhere", "steal_lock=true", expected=attempts.reference())
    owned(left_behind("gone"), seconds_ago=301, **elsewhere)
    attempts.finish("gone")

    # A pid that lives says nothing: it was given to another program, perhaps after a restart of the machine.
    for name, boot_id in (("pid", owners.this_process()["boot_id"]), ("restarted", "before")):
        owned(left_behind(name), seconds_ago=1, host=socket.gethostname(), pid=os.getpid(), boot_id=boot_id)
        attempts.finish(name)


class Still(clock.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: clock.tzinfo | None = None) -> Still:
        return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)


class Earlier(clock.datetime):
    """A clock that was set back by years."""

    @classmethod
    def now(cls, tz: clock.tzinfo | None = None) -> Earlier:
        return cls(2001, 1, 1, tzinfo=tz)


@pytest.mark.thorough
@pytest.mark.fault("S9")
def test_clocks(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composed, "datetime", Still)
    # Two digits, so that some of the ten would meet.
    monkeypatch.setattr(secrets, "token_hex", lambda _: os.urandom(1).hex()[:1])
    before = set((attempts.folder / "outputs").iterdir())
    children = [attempts.start("", "trainer.epochs=0", "data.dev_size=2") for _ in range(10)]
    assert [child.wait().code for child in children] == [0] * 10
    made = set((attempts.folder / "outputs").iterdir()) - before
    assert len(made) == 10
    for directory in made:
        assert re.fullmatch(r"2026-01-02_03-04-05-[0-9a-f]", directory.name)
        assert drill.completed(directory)
        assert tiny_run.read_json(directory / "run.json")["attempt"] == 1

    # What comes later is told by steps and attempts, whatever the clock and the files' times say.
    assert attempts.run("clock", plan=at_micro_batch(1, 3, KILL)).code == -signal.SIGKILL
    directory = attempts.directory("clock")
    for age, folder in enumerate(sorted((directory / "checkpoints").iterdir(), reverse=True)):
        os.utime(folder, (age, age))
    ended = attempts.run("clock", plan=lambda: setattr(owners, "datetime", Earlier))
    assert ended.code == 0, ended.said
    attempts.check("clock", attempts.reference())
    record = tiny_run.read_json(directory / "run.json")
    assert (record["attempt"], record["resumed_step"], record["started"][:4]) == (2, 4, "2001")
