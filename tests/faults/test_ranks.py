"""A run in several processes, one of which dies, all of which are asked to stop, or whose parent is gone."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.fixtures import drill, tiny_run
from tests.fixtures.ranks import LONG, TWO, are_gone, ended, ranks, record, started, trained, wait_for

KILLED = "rank 1 of 2 was killed by SIGKILL (out of memory, or somebody did it)"
GOES_ON = "the same command goes on after its newest checkpoint"


def checkpointed(directory: Path) -> list[int]:
    """Wait for a checkpoint of a run; its processes."""
    wait_for(lambda: any(directory.glob("checkpoints/step-*")))
    return ranks(directory)


@pytest.mark.thorough
@pytest.mark.fault("M1")
@pytest.mark.parametrize("is_sweep", [False, True], ids=["run", "job"])
def test_a_rank_is_killed(tmp_path: Path, is_sweep: bool) -> None:
    place = "multirun_outputs/a/seed=0-*" if is_sweep else "outputs/a"
    with started(tmp_path, "train", "name=a", *LONG, *(("-m", "seed=0,1") if is_sweep else ())) as process:
        (directory,) = wait_for(lambda: list(tmp_path.glob(place)))
        pids = checkpointed(directory)
        os.kill(pids[1], signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: record(directory)["state"] == "failed" and are_gone(pids))
        assert time.monotonic() - killed < 30
        if is_sweep:
            process.send_signal(signal.SIGINT)  # the other job would be trained for minutes
        _, err = ended(process)
    assert process.returncode == (130 if is_sweep else 1), err
    assert "Traceback" not in err
    found = record(directory)
    assert found["error"] == {"kind": "killed", "message": f"{KILLED}; {GOES_ON}"}
    if is_sweep:
        rows = tiny_run.read_json(tmp_path / "multirun_outputs" / "a" / "sweep.json")["jobs"]
        assert [row["error"] for row in rows if row["state"] == "failed"] == [found["error"]]
    else:
        assert err == f"qaexp train: {KILLED}; {GOES_ON}\n"
    with started(tmp_path, "resume", str(directory)) as again:
        assert wait_for(lambda: record(directory).get("resumed_step")) >= found["checkpoint_step"]
        again.terminate()
        _, err = ended(again)
    assert again.returncode == 75, err


@pytest.mark.thorough
@pytest.mark.fault("M2")
@pytest.mark.parametrize(
    ("number", "target", "code"),
    [
        (signal.SIGTERM, "all", 75),
        (signal.SIGINT, "all", 130),
        (signal.SIGUSR1, "parent", 75),
        (signal.SIGTERM, "rank", 75),
    ],
    ids=["SIGTERM to all", "Ctrl-C", "SIGUSR1 to the parent", "SIGTERM to a rank"],
)
def test_all_are_asked_to_stop(tmp_path: Path, number: signal.Signals, target: str, code: int) -> None:
    words, directory = ("name=a", *TWO, "trainer.epochs=4"), tmp_path / "outputs" / "a"
    with started(tmp_path, "train", *words) as process:
        wait_for(lambda: (directory / "metrics.jsonl").exists() and (directory / "metrics.jsonl").stat().st_size)
        pids = ranks(directory)
        if target == "all":
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid if target == "parent" else pids[1], number)
        _, err = ended(process)
        assert are_gone(pids)
    assert process.returncode == code, err
    assert re.fullmatch(r"qaexp train: stopped by .*; the same command continues where it stopped\n", err), err
    found = record(directory)
    assert (found["state"], found["error"]["kind"]) == ("preempted", "interrupted" if code == 130 else "preempted")
    assert 0 < found["checkpoint_step"] < found["total_steps"]
    if number == signal.SIGTERM and target == "all":
        trained(tmp_path, *words)
        assert record(directory)["resumed_step"] == found["checkpoint_step"]
        assert drill.fingerprints(directory) == drill.fingerprints(trained(tmp_path, "name=b", *words[1:]))


@pytest.mark.fault("M3")
def test_the_parent_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "outputs" / "a"
    with started(tmp_path, "train", "name=a", *LONG) as process:
        pids = checkpointed(directory)
        before = record(directory)["checkpoint_step"]
        process.kill()
        wait_for(lambda: are_gone(pids))
    found = record(directory)
    assert (found["state"], found["error"]["kind"]) == ("preempted", "preempted")
    assert found["checkpoint_step"] > before
