"""Exports that cannot be made, or are stopped: what is missing is named, and nothing half made is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.export import needs, one_export
from tests import REPOSITORY
from tests.fixtures import tiny_run

TO = ("--to", "outputs/new")


@pytest.fixture
def run(qaexp: Any) -> Path:
    return tiny_run.train(qaexp.folder, "one", *tiny_run.DEMO, "trainer.epochs=0")


@pytest.mark.fault("E1")
@pytest.mark.parametrize(
    ("format", "hidden", "words"),
    [
        ("onnx", "onnxruntime", "needs the package onnxruntime, which is not installed; pip install 'qaexp[export]'"),
        ("openvino", "openvino", "needs the package openvino, which is not installed; pip install 'qaexp[export]'"),
        ("onnx", "transformers.exporters", "needs transformers.exporters, which transformers"),
    ],
)
def test_what_is_missing(
    format: str, hidden: str, words: str, qaexp: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == hidden else object())
    monkeypatch.setattr(one_export, "read_sources", None)
    qaexp.refused(2, "export", str(run), "--format", format, *TO, last=(f"--format {format} {words}", "pip install"))


@pytest.mark.thorough
@pytest.mark.fault("E2")
def test_killed(qaexp: Any, run: Path) -> None:
    def started(number: signal.Signals) -> int:
        code = (
            "import os; from qaexp.export import one_export; from qaexp.cli import main\n"
            f"one_export._judged = lambda *_: os.kill(os.getpid(), {number.value})\n"
            f"raise SystemExit(main(['export', 'outputs/one', '--format', 'hf', *{TO}]))"
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run([sys.executable, "-c", code], cwd=qaexp.folder, env=environment, capture_output=True)
        assert b"Traceback" not in done.stderr
        return done.returncode

    before = tiny_run.snapshot(qaexp.folder)
    assert started(signal.SIGTERM) == 75
    assert started(signal.SIGINT) == 130
    assert tiny_run.snapshot(qaexp.folder) == before
    assert started(signal.SIGKILL) == -signal.SIGKILL
    (left,) = set(run.parent.iterdir()) - {run}
    assert left.name.startswith(".tmp-new-")
    done = tiny_run.call(qaexp.folder, "export", str(run), "--format", "hf", *TO)
    assert done.code == 0, done.err
    assert set(run.parent.iterdir()) == {run, run.parent / "new"}


@pytest.mark.fault("E3")
def test_no_place(qaexp: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = run.parent / "file"
    place.write_text("mine")
    words = ("export", str(run), "--format", "hf", "--to")
    qaexp.refused(5, *words, "outputs/file/new", last=("file", "cannot be written"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("files", "folders"):
        with monkeypatch.context() as patch:
            patch.setattr(f"qaexp.storage.{name}.sync", full)
            qaexp.refused(5, *words, "outputs/new", last=("No space left on device; free space",))
        assert set(run.parent.iterdir()) == {run, place}
