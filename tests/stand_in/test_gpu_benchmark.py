"""`python -m tests.benchmarks.gpu`: refused without a GPU, tried with a tiny model, and its page told from numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import REPOSITORY
from tests.benchmarks.gpu import __main__ as command
from tests.benchmarks.gpu import measures
from tests.benchmarks.gpu.contenders import Turn
from tests.benchmarks.gpu.packed import Packed, Padded
from tests.benchmarks.gpu.page import rendered
from tests.benchmarks.gpu.workload import BASE, TINY
from tests.stand_in import environment

FOUND: dict[str, Any] = {
    "machine": {"device": "cuda (NVIDIA X)", "torch": "2.13.0"},
    "minutes": 4.0,
    "tests": (True, "=== 61 passed in 40 s ==="),
    "training": {
        "model": "BERT-base",
        "rounds": 5,
        "steps": 30,
        "rates": {"qaexp": 250_000.0, "random": 100_000.0, "group_by_length": 200_000.0},
        "ratios": {"random": (2.5, 2.4, 2.6), "group_by_length": (1.25, 1.2, 1.3)},
        "padding_share": 2.0,
        "peak_mib": 9000.0,
        "gemm_tflops": 700.0,
        "mfu": 44.0,
        "features_a_second": 1300.0,
        "epoch_seconds": 67.7,
    },
    "full_length": {"model": "BERT-large", "longest": 384, "batch_size": 32, "features_a_second": 270.0},
    "without_padding": {
        "losses": [5.9512, 5.9498],
        "rates": {"padded": 240_000.0, "packed": 300_000.0},
        "ratio": (1.25, 1.2, 1.3),
    },
    "same_bytes": {"is_same": True, "rates": {"deterministic": 90.0, "plain": 100.0}},
}


def cells(page: str) -> list[str]:
    """What stands right of the first column of every table, where it holds a digit."""
    rows = [line.strip("|").split("|")[1:] for line in page.splitlines() if line.startswith("|")]
    return [cell.strip() for row in rows for cell in row if re.search(r"\d", cell) and "goal: 2" not in cell]


def test_the_page_says_what_was_reached_and_what_was_not() -> None:
    page = rendered(FOUND, is_rehearsal=False)
    prose = " ".join(page.split())
    assert page.startswith("# Benchmarks on a GPU\n\ndevice cuda (NVIDIA X), torch 2.13.0. `python -m tests.benchmarks")
    assert "| Trainer, its default order | 100,000 | 2.50 (2.40 to 2.60) | reached (goal 2) |" in page
    assert "44.0 %, MISSED (goal 45)" in page
    assert "ended with the same bytes; their speed is 0.90 of that without" in prose
    assert "BERT-large, 32 features of 384 tokens a step: 270.0 features a second. NVIDIA's own figure" in prose
    assert "`pytest tests/gpu`: passed, 61 passed in 40 s." in page
    assert "rehearsal" not in page.lower()
    assert all(len(line) <= 120 for line in page.splitlines() if not line.startswith("|"))


def test_other_bytes_and_failed_tests_are_loud() -> None:
    found = {**FOUND, "tests": (False, "1 failed"), "same_bytes": {**FOUND["same_bytes"], "is_same": False}}
    page = rendered(found, is_rehearsal=False)
    assert "FAILED, 1 failed" in page
    assert "DIFFERENT bytes" in page


def test_a_measurement_that_fails_costs_none_of_the_others() -> None:
    found = {**FOUND, "without_padding": command._tried(lambda: 1 / 0)}
    page = rendered(found, is_rehearsal=False)
    assert "## Packed rows\n\nNot measured: ZeroDivisionError: division by zero\n" in page
    assert "44.0 %, MISSED (goal 45)" in page


def test_every_cell_of_a_rehearsal_says_that_it_is_no_figure() -> None:
    page = rendered(FOUND, is_rehearsal=True)
    assert page.startswith("# Rehearsal: no figure of a GPU\n")
    assert len(cells(page)) > 12
    assert all(cell.startswith("rehearsal, no figure (") for cell in cells(page)), cells(page)


@pytest.mark.parametrize("kind", ["cpu", "sim"])
def test_nothing_is_measured_without_a_gpu(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    device = torch.device("cpu") if kind == "cpu" else type("Device", (), {"type": kind})()
    monkeypatch.setattr(command, "choose_device", lambda _: device)
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    assert command.main([]) == 2
    assert "sees no GPU, so nothing was measured" in capsys.readouterr().err
    assert command.main(["--rehearse", str(REPOSITORY / "docs" / "benchmarks-gpu.md")]) == 2
    assert "where only figures of a GPU belong" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_real_workload_is_as_long_as_squad() -> None:
    features = BASE.features()
    lengths = features.lengths
    assert (len(features), lengths.max(), BASE.token_budget) == (4096, 384, 12_288)
    assert lengths.mean() == pytest.approx(190, abs=4)
    assert (features.end_position < lengths).all()
    assert set(BASE.features(all_longest=True).lengths) == {384}


def test_packed_and_padded_features_have_the_same_loss_and_gradients() -> None:
    cpu = torch.device("cpu")
    found = []
    for one in (Padded(TINY, cpu), Packed(TINY, cpu)):
        one.model.eval()
        loss = one.loss(np.arange(4))
        loss.backward()
        found.append([loss.detach(), *(parameter.grad for parameter in one.model.parameters())])
    assert len(set(TINY.features().lengths[:4])) > 1, "some of the features are padded"
    for padded, packed in zip(*found, strict=True):
        torch.testing.assert_close(padded, packed, rtol=0.05, atol=0.02)


def test_contenders_take_turns_and_the_first_is_not_counted() -> None:
    told: list[str] = []

    def turn(name: str) -> Turn:
        told.append(name)
        return Turn(10, 1, 0.5)

    found = measures.take_turns({name: lambda name=name: turn(name) for name in "ab"}, 0.0)
    assert told == ["a", "b"] * 3
    assert {name: [one.rate for one in turns] for name, turns in found.items()} == {"a": [20.0] * 2, "b": [20.0] * 2}


@pytest.mark.thorough
def test_the_whole_command_runs_on_the_stand_in(tmp_path: Path) -> None:
    page = tmp_path / "rehearsal.md"
    words = [sys.executable, "-m", "tests.benchmarks.gpu", "--rehearse", str(page)]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    text = page.read_text("utf-8")
    assert "Not measured" not in text
    assert "device sim (stand-in accelerator)" in text
    assert "no figure (passed, 2 passed" in text
    assert "no figure (the same bytes)" in " ".join(text.split())
    assert all(cell.startswith("rehearsal, no figure (") for cell in cells(text))
