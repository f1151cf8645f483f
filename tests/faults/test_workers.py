"""Faults W: workers of one sweep that are struck, or come upon each other."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_sweeps import wait_until
from tests.fixtures import drill, tiny_run
from tests.fixtures.workers import LONG, WORDS, attempts, planned, process, run_ends, states


@pytest.mark.thorough
@pytest.mark.fault("W10")
def test_three_workers_and_the_sweeps_own_command_share_the_jobs(tmp_path: Path) -> None:
    words = (*WORDS, "seed=0,1,2,3,4,5")
    sweep = planned(tmp_path, *words)
    found = run_ends([*(process(tmp_path, "work", str(sweep)) for _ in range(2)),
                      process(tmp_path, "train", "-m", "name=s", *words)])  # fmt: skip
    assert [code for code, _ in found] == [0, 0, 0], found
    assert states(sweep) == ["completed"] * 6
    assert attempts(sweep) == [1] * 6


@pytest.mark.thorough
@pytest.mark.fault("W11")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_worker_leaves_is_taken_up_by_another(number: signal.Signals, tmp_path: Path) -> None:
    sweep = planned(tmp_path, *LONG, "seed=0")
    first = process(tmp_path, "work", str(sweep))
    wait_until(lambda: any(sweep.glob("*/checkpoints/step-*")))
    first.send_signal(number)
    said = first.communicate(timeout=300)[0]
    assert first.returncode == (-9 if number == signal.SIGKILL else 75), said
    second = tiny_run.call(tmp_path, "work", str(sweep))
    assert second.code == 0, second.err
    (run,) = sweep.glob("*-????????")
    record: dict[str, Any] = tiny_run.read_json(run / "run.json")
    assert (record["attempt"], record["resumed_step"] > 0) == (2, True)
    alone = tiny_run.train(tmp_path, "alone", *LONG)
    assert drill.fingerprints(run) == drill.fingerprints(alone)
