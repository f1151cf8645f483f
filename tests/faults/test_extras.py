"""What is not worth a run: trackers and pictures that are missing, raise or hang."""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qaexp.experiment.tracking.mirror import DESTINATIONS, Destination
from tests.fixtures import kept_tracker, tiny_run
from tests.fixtures.fake_run import build

RESULTS = ("metrics.jsonl", "history.csv", "predictions.jsonl", "scores.csv", "model/model.safetensors")


def planted(*_: object, **__: object) -> None:
    raise RuntimeError("planted")


def leave(*_: object, **__: object) -> None:
    sys.exit(3)


def hang(*_: object, **__: object) -> None:
    threading.Event().wait()


@pytest.mark.thorough
@pytest.mark.fault("T4")
def test_trackers_and_pictures(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, words = "qaexp.experiment.tracking.tensorboard.TensorBoard", (*tiny_run.DEMO, "trackers=tensorboard")
    reference = qaexp.train("name=reference", *tiny_run.DEMO)
    monkeypatch.setattr("qaexp.experiment.trackers.PATIENCE_SECONDS", 0.3)
    for method in ("start", "step", "evaluation", "finish"):
        for number, fault in enumerate((planted, leave, hang)):
            with monkeypatch.context() as patch:
                patch.setattr(f"{tracker}.{method}", fault)
                _same(reference, qaexp.train(f"name={method}{number}", *words), "trackers.tensorboard is given up")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
        _same(reference, qaexp.train("name=missing", *words), "pip install 'qaexp[tensorboard]'")
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", planted)
        patch.setattr("qaexp.reporting.page.html.page", planted)
        directory = qaexp.train("name=plots", *tiny_run.DEMO, "reporter=plots")
        _same(reference, directory, "report.html could not be drawn")
    qaexp.refused(2, "train", *tiny_run.DEMO, "trackers=comet", last=("trackers", "tensorboard", "wandb"))


@pytest.mark.fault("T6")
def test_a_mirror_whose_server_goes_away(qaexp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "unfinished", "damaged"):
        build(qaexp.folder / "outputs" / name, num_examples=20, num_steps=12)
    (qaexp.folder / "outputs" / "unfinished" / "summary.json").unlink()
    (qaexp.folder / "outputs" / "damaged" / "metrics.jsonl").write_text("{}")
    before = tiny_run.snapshot(qaexp.folder / "outputs")
    whole: list[tuple[str, int]] = []
    for taken in (float("inf"), 0, 1, 7, 14):
        stores = {name: kept_tracker.Store() for name in ("a", "b")}
        for fails_after, code in ((taken, 0 if taken > 14 else 5), (float("inf"), 0)):
            made = partial(kept_tracker.OfEach, stores, fails_after)
            monkeypatch.setitem(DESTINATIONS, "mlflow", Destination(made, {}, None, ""))
            done = qaexp.call("track", "outputs", "--to", "mlflow")
            assert done.code == code, done.err
            assert all(f"outputs/{name}: skipped: " in done.err for name in ("unfinished", "damaged"))
        found = [(point.kind, point.step) for point in stores["a"].points]
        whole = whole or found
        assert found == whole == [(point.kind, point.step) for point in stores["b"].points]
        assert len(set(found)) == len(found) > 14
    assert qaexp.call("track", "outputs/a", "outputs/damaged", "--to", "mlflow").code == 8
    assert tiny_run.snapshot(qaexp.folder / "outputs") == before


def _same(reference: Path, directory: Path, warning: str) -> None:
    """The results are those of a run without extras, and the log says once what went wrong."""
    for name in RESULTS:
        assert (directory / name).read_bytes() == (reference / name).read_bytes(), (directory, name)
    assert (directory / "train.log").read_text().count(warning) == 1, directory
