"""A job goes back into Slurm's queue when it was asked to make room, once, and never for another reason."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from qaexp.errors import Stopped
from qaexp.runs.slurm import await_end, requeued


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a `scontrol` of ours notes its words."""
    noted, script = tmp_path / "calls", tmp_path / "bin" / "scontrol"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexit $SCONTROL_EXIT\n')
    script.chmod(0o755)
    noted.touch()
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SCONTROL_EXIT", "0")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    return noted


def stop(number: signal.Signals, *, is_main: bool = True) -> None:
    with pytest.raises(Stopped), requeued(is_main):
        raise Stopped(number)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_job_is_put_back_once(calls: Path, number: signal.Signals) -> None:
    stop(number)
    assert calls.read_text() == "requeue 12\n"


def test_a_job_of_an_array_by_its_own_id(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "10")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    stop(signal.SIGUSR1)
    assert calls.read_text() == "requeue 10_3\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_job_stays_away(calls: Path, number: signal.Signals) -> None:
    stop(number)
    assert calls.read_text() == ""


def test_only_one_of_several_processes_asks(calls: Path) -> None:
    stop(signal.SIGUSR1, is_main=False)
    assert calls.read_text() == ""


def test_outside_slurm_nothing_is_asked(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID")
    stop(signal.SIGUSR1)
    assert calls.read_text() == ""


def test_an_error_is_no_reason(calls: Path) -> None:
    with pytest.raises(ZeroDivisionError), requeued(True):
        print(1 / 0)
    assert calls.read_text() == ""


def test_a_scontrol_that_fails_is_said(
    calls: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCONTROL_EXIT", "1")
    stop(signal.SIGUSR1)
    assert "scontrol requeue 12 failed" in caplog.text
    monkeypatch.setenv("PATH", "")
    stop(signal.SIGUSR1)
    assert len(caplog.records) == 2


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which somebody would have slept."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("number", "waits"), [(signal.SIGTERM, True), (signal.SIGUSR2, False), (signal.SIGINT, False), (None, False)]
)
def test_slurm_itself_ends_what_it_sent_sigterm_to(
    number: signal.Signals | None, waits: bool, slept: list[float]
) -> None:
    await_end(number)
    assert bool(slept) == waits


def test_outside_slurm_nobody_waits(slept: list[float]) -> None:
    await_end(signal.SIGTERM)
    assert slept == []
