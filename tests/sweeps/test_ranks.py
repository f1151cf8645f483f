"""Which process of a run is told to have ended it, and what is refused before any is started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from qaexp.errors import ConfigError, OutOfMemoryError, Stopped, StorageError
from qaexp.sweeps import launcher, ranks
from qaexp.sweeps.launcher import LocalLauncher, visible_gpus
from qaexp.sweeps.outcome import told
from qaexp.training import precision, processes
from qaexp.training.processes import all_threads, share_of_threads
from tests.fixtures import tiny_run

TOGETHER = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29501"}
SWEEP = "a sweep cannot be started 2 times (WORLD_SIZE=2, by torchrun); start it without torchrun, and set trainer.proc"
LOST = RuntimeError("[gloo/transport/tcp/pair.cc:544] Connection closed by peer [127.0.0.1]:7")


def killed(number: int) -> dict[str, Any]:
    return {"exit_code": -number}


def failed(error: BaseException) -> dict[str, Any]:
    return {"exit_code": 0, "answer": {"error": told(error), "trace": ""}}


@pytest.mark.parametrize(
    ("ends", "index"),
    [
        ([failed(LOST), killed(signal.SIGKILL)], 1),
        ([{**killed(signal.SIGKILL), "is_ended_here": True}, failed(StorageError("full"))], 1),
        ([failed(LOST), failed(OutOfMemoryError("too much"))], 1),
        ([failed(LOST), failed(IndexError("a bug"))], 1),
        ([failed(ConfigError("no")), failed(ConfigError("no"))], 0),
        ([failed(LOST), failed(Stopped(signal.SIGTERM))], 1),
        ([failed(IndexError("a bug")), failed(Stopped(signal.SIGTERM))], 0),
        ([failed(Stopped(signal.SIGTERM)), killed(signal.SIGTERM)], 0),
    ],
)
def test_the_one_that_ended_first_is_told_apart_from_those_that_lost_it(
    ends: list[Mapping[str, Any]], index: int
) -> None:
    found = [ranks._Rank(number, None, None, **end) for number, end in enumerate(ends)]  # type: ignore[arg-type]
    assert min(found, key=ranks._remoteness).index == index


def test_a_process_that_dies_of_a_signal_before_it_watches_was_stopped() -> None:
    assert ranks._Rank(0, None, None, exit_code=-signal.SIGTERM).stop == signal.SIGTERM  # type: ignore[arg-type]
    assert ranks._Rank(0, None, None, exit_code=-signal.SIGKILL).stop is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("trainer.processes=3",), "trainer.processes=3, but 2 processes were started (WORLD_SIZE=2, by torchrun);"),
        (
            ("-m", "seed=0,1"),
            SWEEP,
        ),
        (("sweep=seeds",), SWEEP),
    ],
)
def test_what_does_not_go_with_torchrun_is_refused_in_a_sentence(
    words: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TOGETHER.items():
        monkeypatch.setenv(name, value)
    called = tiny_run.call(tmp_path, "train", "name=a", *tiny_run.DEMO, *words)
    assert (called.code, called.err.count("\n")) == (2, 1), called.err
    assert called.err.startswith(f"qaexp train: {says}")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_gpu_that_is_named_is_not_shared(tmp_path: Path) -> None:
    called = tiny_run.call(tmp_path, "train", *tiny_run.DEMO, "trainer.device=cuda:1", "trainer.processes=2")
    assert called.code == 2
    assert "trainer.device=cuda:1 names one GPU, and trainer.processes=2 need one each" in called.err


def test_more_processes_than_gpus_are_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    precision.check_enough(torch.device("cuda"), 1)
    precision.check_enough(torch.device("cpu"), 4)
    with pytest.raises(
        ConfigError, match=r"trainer.processes=4 needs a GPU for each process, and cuda has 1 here; set"
    ):
        precision.check_enough(torch.device("cuda"), 4)


def test_the_threads_of_a_run_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (share_of_threads(5), all_threads()) == (5, torch.get_num_threads())
    for name, value in TOGETHER.items():
        monkeypatch.setenv(name, value)
    assert (share_of_threads(5), share_of_threads(1)) == (2, 1)
    assert all_threads() == 2 * torch.get_num_threads()


@pytest.mark.parametrize(
    ("num_gpus", "processes", "at_once", "seen"),
    [
        (0, 1, 2, []),
        (0, 6, 1, []),
        (4, 1, 4, ["0", "1", "2", "3"]),
        (5, 2, 2, ["0,1", "2,3"]),
        (1, 2, 1, ["0"]),
    ],
)
def test_a_job_has_its_share_of_the_machine(
    num_gpus: int, processes: int, at_once: int, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "num_cores", lambda: 8)
    assert LocalLauncher(jobs="auto").at_once(num_gpus, processes) == at_once
    assert [names["CUDA_VISIBLE_DEVICES"] for names in visible_gpus({}, num_gpus, processes)] == seen


def test_one_process_of_a_machine_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TOGETHER, "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    done: list[str] = []
    is_waiting, is_first_done = threading.Event(), threading.Event()

    class Store:
        def wait(self, keys: list[str], _: object) -> None:
            is_waiting.set()
            assert is_first_done.wait(300)
            done.append(f"told of {keys[0]}")

        def set(self, key: str, _: str) -> None:
            done.append(f"tells of {key}")
            is_first_done.set()

    def enter(name: str) -> None:
        with processes.first_here("features"):
            done.append(name)

    store = Store()
    monkeypatch.setattr(processes, "_store", lambda: store)
    second = threading.Thread(target=enter, args=("second",))
    second.start()
    assert is_waiting.wait(300)
    monkeypatch.setenv("LOCAL_RANK", "0")
    enter("first")
    second.join()
    key = "qaexp/features/0"
    assert done == ["first", f"tells of {key}", f"told of {key}", "second"]
