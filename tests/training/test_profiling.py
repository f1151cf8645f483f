"""Profiling: a trace and a table in the run directory, and not one changed number."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from qaexp.training.profiling import PHASES, table
from tests.fixtures.tiny_run import DEMO, call, read_json


def event(key: str, total: float, own: float = 0.0, count: int = 2) -> SimpleNamespace:
    return SimpleNamespace(
        key=key, cpu_time_total=total, self_cpu_time_total=own, self_device_time_total=0.0, count=count
    )


def test_the_table_adds_up() -> None:
    events = [
        event("step: forward", 3000.0),
        event("step: backward", 5000.0),
        event("step: backward", 0.0),  # the same on a GPU's stream
        event("ProfilerStep*", 9000.0, 9000.0),
        event("aten::mm", 4000.0, 4000.0, count=20),
    ]
    text = table(events, 2)
    assert "forward           1.50   37.5 %" in text
    assert "all               4.00  100.0 %" in text
    assert "aten::mm" in text.splitlines()[-1]
    assert text.splitlines()[-1].split()[1:] == ["10.0", "2.00"]
    assert "ProfilerStep" not in text


def test_the_name_of_an_operator_is_text() -> None:
    text = table([event("step: forward", 1.0), event("a\x1b]0;b\x07\nc" * 9, 1.0, 1.0)], 1)
    assert "\x1b" not in text
    assert text.splitlines()[-1].startswith("a\\x1b]0;b\\x07\\nca")
    assert len(text.splitlines()[-1]) == 69


def test_a_profiled_run(tmp_path: Path) -> None:
    for name, words in {"profiled": ["trainer.profile_steps=2"], "plain": []}.items():
        done = call(tmp_path, "train", f"name={name}", "batches=fixed", "batches.batch_size=4", *words, *DEMO)
        assert done.code == 0, done.err
    directory = tmp_path / "outputs" / "profiled"
    text = (directory / "profile" / "steps.txt").read_text()
    assert text.splitlines()[0] == "2 steps, host time per step"
    assert all(phase in text for phase in PHASES)
    trace = json.loads((directory / "profile" / "trace.json").read_text())
    assert {f"step: {phase}" for phase in PHASES} <= {entry.get("name") for entry in trace["traceEvents"]}
    runs = [read_json(tmp_path / "outputs" / name / "run.json") for name in ("profiled", "plain")]
    assert runs[0]["run_id"] == runs[1]["run_id"]
    for file in ("metrics.jsonl", "predictions.jsonl", "model/model.safetensors"):
        found = {(tmp_path / "outputs" / name / file).read_bytes() for name in ("profiled", "plain")}
        assert len(found) == 1, file


def test_too_short_a_training_leaves_no_profile(tmp_path: Path) -> None:
    done = call(tmp_path, "train", "name=a", "trainer.profile_steps=5", "trainer.max_steps=1", *DEMO)
    assert done.code == 0, done.err
    assert not (tmp_path / "outputs" / "a" / "profile").exists()
    assert "trainer.profile_steps=5 had no effect" in (tmp_path / "outputs" / "a" / "train.log").read_text()


@pytest.mark.parametrize("value", ["0", "abc", "1001"])
def test_a_wrong_number_of_steps(value: str, tmp_path: Path) -> None:
    done = call(tmp_path, "train", f"trainer.profile_steps={value}", *DEMO)
    assert done.code == 2
    assert "trainer.profile_steps" in done.err
