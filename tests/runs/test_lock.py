"""Exactly one process holds a run directory, and the others say which one it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import qaexp
from qaexp.errors import BusyError, IntegrityError, StorageError
from qaexp.runs import lock, owners
from qaexp.storage import appender, files, folders, roots
from tests.fixtures.open_run import open_run
from tests.fixtures.patching import everywhere

HOLDER = """
import sys, time
from pathlib import Path
from qaexp.errors import BusyError
from qaexp.runs.lock import hold
folder, start = Path(sys.argv[1]), float(sys.argv[2])
time.sleep(max(0.0, start - time.time()))
try:
    with hold(folder):
        print("held", flush=True)
        time.sleep(float(sys.argv[3]))
except BusyError as error:
    print(error, flush=True)
    sys.exit(4)
"""


TAKER = """
import sys
from pathlib import Path
from qaexp.runs import lock, owners
from qaexp.storage import files
lock.this_process = owners.this_process = lambda: {"host": "taker", "pid": 1, "boot_id": "taker"}
with lock.hold(Path(sys.argv[1]), steal=True):
    files.write_text(Path(sys.argv[1], "run.json"), "the taker's")
"""


def take_over(folder: Path) -> None:
    """Let another machine take a directory."""
    words = [sys.executable, "-c", TAKER, str(folder)]
    subprocess.run(words, check=True, cwd=Path(qaexp.__file__).parents[1])


def start_holder(folder: Path, start: float, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLDER, str(folder), str(start), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(qaexp.__file__).parents[1])


def test_second_holder_names_host_and_pid(tmp_path: Path) -> None:
    with (
        lock.hold(tmp_path),
        pytest.raises(BusyError, match=rf"process {os.getpid()} on .+ works in it") as caught,
        lock.hold(tmp_path),
    ):
        pass
    assert caught.value.exit_code == 4
    assert "steal_lock" not in str(caught.value)
    with lock.hold(tmp_path):
        pass


def test_of_processes_that_start_together_one_holds_it(tmp_path: Path) -> None:
    holders = [start_holder(tmp_path, time.time() + 0.7, 1.0) for _ in range(4)]
    said = {holder.pid: holder.communicate()[0].strip() for holder in holders}
    winners = [pid for pid, text in said.items() if text == "held"]
    assert len(winners) == 1
    for pid, text in said.items():
        assert pid in winners or f"process {winners[0]} on" in text
    assert sorted(holder.returncode for holder in holders) == [0, 4, 4, 4]


def test_lock_of_a_killed_owner_is_taken_over(tmp_path: Path) -> None:
    with start_holder(tmp_path, 0.0, 60.0) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid} on"), lock.hold(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with lock.hold(tmp_path):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def record_of_another_machine(age_seconds: float) -> dict[str, Any]:
    beat = owners.utc_now() - timedelta(seconds=age_seconds)
    return {"state": "running", "host": "elsewhere", "pid": 7, "boot_id": "other", "heartbeat": beat.isoformat()}


def test_fresh_heartbeat_of_another_machine_is_refused(tmp_path: Path) -> None:
    record = record_of_another_machine(100)
    with pytest.raises(BusyError, match=r"process 7 on elsewhere works in it; .*steal_lock=true"):
        lock.check_heartbeat(tmp_path, record, owners.utc_now())
    lock.check_heartbeat(tmp_path, record, owners.utc_now(), steal=True)


@pytest.mark.parametrize(
    "change",
    [
        {"heartbeat": record_of_another_machine(301)["heartbeat"]},
        {"state": "failed"},
        owners.this_process(),
        {"boot_id": owners.this_process()["boot_id"] or "other", "host": owners.this_process()["host"]},
        {"heartbeat": "yesterday"},
        {"heartbeat": None},
    ],
)
def test_dead_owners_do_not_block(tmp_path: Path, change: dict[str, Any]) -> None:
    lock.check_heartbeat(tmp_path, {**record_of_another_machine(0), **change}, owners.utc_now())


def test_heartbeat_beats_and_stops() -> None:
    beats: list[float] = []
    with owners.heartbeat(lambda: beats.append(time.monotonic()), seconds=0.01):
        deadline = time.monotonic() + 5
        while len(beats) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    count = len(beats)
    time.sleep(0.05)
    assert count >= 2
    assert len(beats) == count


def test_run_on_another_machine_keeps_its_files(tmp_path: Path) -> None:
    run = open_run(tmp_path / "a")
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError
    path = tmp_path / "a" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **record_of_another_machine(10)}))
    before = path.read_bytes()
    with pytest.raises(BusyError, match="elsewhere"), open_run(tmp_path / "a"):
        pass
    assert path.read_bytes() == before
    with open_run(tmp_path / "a", steal_lock=True) as stolen:
        stolen.complete({})


WRITES = {
    "a whole file": lambda folder: files.write_text(folder / "run.json", "the sleeper's"),
    "a new file": lambda folder: files.write_text(folder / "new.json", "the sleeper's"),
    "a line": lambda folder: LINES[folder].append("the sleeper's\n"),
    "a cut": lambda folder: appender.truncate(folder / "metrics.jsonl", 0),
    "a folder": lambda folder: folders.commit_directory(folder / ".tmp-model-1", folder / "model"),
}
LINES: dict[Path, appender.Appender] = {}


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.case("owner_that_wakes_up")
def test_an_owner_that_sleeps_between_its_look_and_its_call_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    everywhere(
        monkeypatch.setattr, owners.this_process, lambda: {"host": "sleeper", "pid": os.getpid(), "boot_id": "sleeper"}
    )
    with lock.hold(tmp_path):
        files.write_text(tmp_path / "run.json", "old")
        LINES[tmp_path] = appender.Appender(tmp_path / "metrics.jsonl")
        LINES[tmp_path].append("one\n")
        (tmp_path / ".tmp-model-1").mkdir()
        asleep = iter([True])

        def look(path: Path) -> None:
            roots.check_root(path)
            if next(asleep, False):
                take_over(tmp_path)

        for module in (files, folders, appender):
            monkeypatch.setattr(module, "check_root", look)
        if what in ("a line", "a cut"):  # of the file that was the directory's; the next one is refused
            WRITES[what](tmp_path)
        with pytest.raises(BusyError, match="process 1 on taker has taken it over while this process was suspended"):
            WRITES[what](tmp_path)
        for write in WRITES.values():
            with pytest.raises(BusyError):
                write(tmp_path)
        LINES.pop(tmp_path).close()
    assert (tmp_path / "run.json").read_text() == "the taker's"
    assert (tmp_path / "metrics.jsonl").read_text() == "one\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "metrics.jsonl", "run.json"]


def test_a_refused_taker_leaves_the_owner_its_token(tmp_path: Path) -> None:
    def refuse() -> None:
        raise BusyError("its heart beats")

    with lock.hold(tmp_path):
        before = (tmp_path / ".lock").read_bytes()
    with pytest.raises(BusyError, match="its heart beats"), lock.hold(tmp_path, may_take=refuse):
        pass
    assert (tmp_path / ".lock").read_bytes() == before


def test_a_directory_that_is_moved_is_not_made_anew(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with lock.hold(run):
        lines = appender.Appender(run / "metrics.jsonl")
        run.rename(tmp_path / "moved")
        with pytest.raises(StorageError, match=f"was moved or deleted .*it is {tmp_path / 'moved'} now"):
            folders.make_directory(run / "plots")
        # Told once: how the run ended is written where it is now.
        files.write_text(run / "run.json", "failed")
        lines.append("last\n")
        lines.close()
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == [".lock", "metrics.jsonl", "run.json"]


def test_a_process_of_another_container_is_known_by_its_lock(tmp_path: Path) -> None:
    here = owners.this_process()
    record = {**here, "pid": 1, "pid_namespace": "pid:[1]", "heartbeat": owners.utc_now().isoformat()}
    with lock.hold(tmp_path):
        assert owners.is_alive(tmp_path, record, owners.utc_now())
    assert not owners.is_alive(tmp_path, record, owners.utc_now())
    # A pid that was given to another program shows no sign of life.
    silent = {**here, "heartbeat": (owners.utc_now() - timedelta(seconds=301)).isoformat()}
    assert not owners.is_alive(tmp_path, silent, owners.utc_now())
    assert owners.is_alive(tmp_path, {**here, "heartbeat": owners.utc_now().isoformat()}, owners.utc_now())


def test_an_owner_in_another_container_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = owners.this_process()
    everywhere(monkeypatch.setattr, owners.this_process, lambda: {**here, "pid": 2**22 + 1, "pid_namespace": "pid:[1]"})
    with lock.hold(tmp_path):
        everywhere(monkeypatch.setattr, owners.this_process, lambda: here)
        with pytest.raises(BusyError, match=rf"process {2**22 + 1} on "), lock.hold(tmp_path):
            pass


def test_who_only_asks_does_not_keep_a_run_from_its_directory(tmp_path: Path) -> None:
    asking = threading.Event()

    def ask() -> None:
        while not asking.is_set():
            owners.is_alive(tmp_path, {**owners.this_process(), "heartbeat": None}, owners.utc_now())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(50):
            with lock.hold(tmp_path):
                pass
    finally:
        asking.set()
        thread.join()


def test_a_file_of_somebody_else_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("keep\n")
    with pytest.raises(IntegrityError, match=r"\.lock: is not a lock of qaexp"), lock.hold(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == "keep\n"
    (tmp_path / ".lock").write_bytes(bytes(512))  # as a power cut may leave it
    with lock.hold(tmp_path):
        pass


def test_a_process_that_has_ended_lives_no_more_though_nobody_has_collected_it(tmp_path: Path) -> None:
    """As in a container whose first process collects none: its pid is taken for as long as it stands."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = {**owners.this_process(), "pid": child.pid, "heartbeat": owners.utc_now().isoformat()}
    assert owners.is_alive(tmp_path, record, owners.utc_now())
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    os.kill(child.pid, 0)  # the pid is still taken
    assert not owners.is_alive(tmp_path, record, owners.utc_now())
    child.communicate()
