"""`qaexp reproduce`: the same bytes again, or the first step that differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures import tiny_run

WORDS = (*tiny_run.MODEL, "data.train_size=12", "data.dev_size=8", "trainer.epochs=2", "threads=1")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.train(tmp_path_factory.mktemp("reproduce"), "one", *WORDS)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "one"))


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    before = tiny_run.snapshot(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 0, done.err
    assert "first step that differs: none" in done.out
    assert "files that differ: none" in done.out
    assert "differences of code, packages, device and machine: none" in done.out
    again = tmp_path / "one-reproduced-1"
    assert tiny_run.read_json(again / "run.json")["state"] == "completed"
    assert tiny_run.snapshot(run) == before
    # The next one has a folder of its own.
    assert tiny_run.call(tmp_path, "reproduce", str(run)).code == 0
    assert (tmp_path / "one-reproduced-2" / "summary.json").exists()


def test_the_first_step_that_differs_is_named(run: Path, tmp_path: Path) -> None:
    lines = tiny_run.read_lines(run / "metrics.jsonl")
    lines[2]["loss"] += 1e-9
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tiny_run.sign(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run), "--to", str(tmp_path / "again"))
    assert done.code == 8
    assert f"first step that differs: step {lines[2]['step']}: loss is" in done.out
    assert "files that differ: none" in done.out  # metrics.jsonl is told step by step


def test_a_file_that_differs_is_named(run: Path, tmp_path: Path) -> None:
    scores = (run / "scores.csv").read_text()
    (run / "scores.csv").write_text(scores.replace("\n", " \n", 1))
    tiny_run.sign(run)
    done = tiny_run.call(tmp_path, "reproduce", str(run))
    assert done.code == 8
    assert "first step that differs: none" in done.out
    assert "scores.csv: its bytes differ" in done.out


def test_what_cannot_be_run_again_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    taken = tiny_run.call(tmp_path, "reproduce", str(run), "--to", "taken")
    assert (taken.code, "exists" in taken.last_line) == (2, True)
    (run / "summary.json").unlink()
    unfinished = tiny_run.call(tmp_path, "reproduce", str(run))
    assert (unfinished.code, "qaexp resume" in unfinished.last_line) == (2, True)
    assert tiny_run.call(tmp_path, "reproduce", "missing").code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["one", "taken"]
