"""What is not worth a run: trackers and pictures that are missing, raise or hang."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import tiny_run

RESULTS = ("metrics.jsonl", "history.csv", "predictions.jsonl", "scores.csv", "model/model.safetensors")


def planted(*_: object, **__: object) -> None:
    raise RuntimeError("planted")


def leave(*_: object, **__: object) -> None:
    sys.exit(3)


def hang(*_: object, **__: object) -> None:
    threading.Event().wait()


@pytest.mark.fault("T4")
def test_trackers_and_pictures(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, words = "qaexp.experiment.trackers.TensorBoard", (*tiny_run.DEMO, "trackers=tensorboard")
    reference = qaexp.train("name=reference", *tiny_run.DEMO)
    monkeypatch.setattr("qaexp.experiment.trackers.PATIENCE_SECONDS", 0.3)
    for method in ("start", "step", "evaluation", "finish"):
        for number, fault in enumerate((planted, leave, hang)):
            with monkeypatch.context() as patch:
                patch.setattr(f"{tracker}.{method}", fault)
                _same(reference, qaexp.train(f"name={method}{number}", *words), "trackers.tensorboard is given up")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch.utils.tensorboard", None)
        _same(reference, qaexp.train("name=missing", *words), "pip install 'qaexp[tensorboard]'")
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", planted)
        patch.setattr("qaexp.reporting.page.html.page", planted)
        directory = qaexp.train("name=plots", *tiny_run.DEMO, "reporter=plots")
        _same(reference, directory, "report.html could not be drawn")
    qaexp.refused(2, "train", *tiny_run.DEMO, "trackers=wandb", last=("trackers", "tensorboard"))


def _same(reference: Path, directory: Path, warning: str) -> None:
    """The results are those of a run without extras, and the log says once what went wrong."""
    for name in RESULTS:
        assert (directory / name).read_bytes() == (reference / name).read_bytes(), (directory, name)
    assert (directory / "train.log").read_text().count(warning) == 1, directory
