"""Trackers get live events in order; one that is missing, slow or raises costs the run a line in its log, no more."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qaexp.experiment import trackers as module
from qaexp.experiment.trackers import Trackers
from qaexp.experiment.tracking import tensorboard
from tests import REPOSITORY
from tests.fixtures.tiny_run import DEMO, call, read_json
from tests.fixtures.waiting import waits_at_most

STEP = {"step": 1, "loss": 2.5, "learning_rate": 0.1, "grad_norm": None, "tokens_per_second": 7.0}
ROW = {"epoch": 1, "step": 1, "train_loss": 2.5, "f1": 50.0, "has_ans_f1": None, "probe_0": "Paris | `x`"}


class Remembering:
    """Keeps what it is told; `fails_at` names the method that raises, `hangs_at` the one that never returns."""

    def __init__(self, fails_at: str = "", hangs_at: str = "", error: type[BaseException] = RuntimeError) -> None:
        self.fails_at, self.hangs_at, self.error = fails_at, hangs_at, error
        self.told: list[tuple[str, Any]] = []
        self.never = threading.Event()

    def _take(self, name: str, value: Any) -> None:
        self.told.append((name, value))
        if name == self.fails_at:
            raise self.error("planted")
        if name == self.hangs_at:
            self.never.wait()

    def start(self, directory: Path, config: Mapping[str, Any], step: int) -> None:
        self._take("start", (directory, config))

    def step(self, record: Mapping[str, Any]) -> None:
        self._take("step", record)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        self._take("evaluation", row)

    def finish(self, summary: Mapping[str, Any] | None) -> None:
        self._take("finish", summary)


def tell(trackers: Trackers) -> None:
    trackers.start(Path("run"), {"seed": 1}, 0)
    trackers.step(STEP)
    trackers.evaluation(ROW)
    trackers.finish({"f1": 50.0})


def test_events_come_in_order() -> None:
    tracker = Remembering()
    tell(Trackers({"mine": tracker}))
    assert tracker.told == [
        ("start", (Path("run"), {"seed": 1})),
        ("step", STEP),
        ("evaluation", ROW),
        ("finish", {"f1": 50.0}),
    ]


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["start", "step", "evaluation", "finish"])
def test_one_that_raises_is_given_up_and_named_once(
    method: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Remembering(fails_at=method, error=error), Remembering()
    with caplog.at_level(logging.WARNING, "qaexp"):
        tell(Trackers({"bad": bad, "good": good}))
    assert [name for name, _ in good.told] == ["start", "step", "evaluation", "finish"]
    assert bad.told[-1][0] == method
    assert [record.getMessage() for record in caplog.records] == [
        f"trackers.bad is given up, the run goes on: {error.__name__}: planted"
    ]


def test_the_line_is_written_before_the_end_is_reached(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow the log is: what comes after `finish` may be the end of the process."""
    warn = module._LOGGER.warning

    def slowly(*words: object) -> None:
        time.sleep(0.3)
        warn(*words)

    monkeypatch.setattr(module._LOGGER, "warning", slowly)
    with caplog.at_level(logging.WARNING, "qaexp"):
        trackers = Trackers({"bad": Remembering(fails_at="start")})
        trackers.start(Path("run"), {}, 0)
        time.sleep(0.1)  # by then it has failed, and the line is being written
        trackers.finish({})
    assert len(caplog.records) == 1


def test_one_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    slow, good = Remembering(hangs_at="step"), Remembering()
    with waits_at_most(5), caplog.at_level(logging.WARNING, "qaexp"):
        tell(Trackers({"slow": slow, "good": good}))
    assert len(good.told) == 4
    assert "trackers.slow is given up" in caplog.text
    slow.never.set()


def test_one_that_is_far_behind_stops_the_queue(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAITING_EVENTS", 5)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    slow = Remembering(hangs_at="start")
    trackers = Trackers({"slow": slow})
    trackers.start(Path("run"), {}, 0)
    with caplog.at_level(logging.WARNING, "qaexp"):
        for _ in range(50):
            trackers.step(STEP)
    trackers.finish(None)
    assert caplog.text.count("trackers.slow is given up") == 1
    slow.never.set()


def test_a_run_that_fails_says_so_to_its_trackers() -> None:
    tracker = Remembering()
    with suppress(ValueError), Trackers({"mine": tracker}) as trackers:
        trackers.start(Path("run"), {}, 0)
        raise ValueError("planted")
    assert tracker.told[-1] == ("finish", None)


def curves(directory: Path) -> EventAccumulator:
    """What a run's event files hold."""
    events = EventAccumulator(str(directory / "tensorboard"))
    events.Reload()
    return events


def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    done = call(tmp_path, "train", "name=a", "trackers=tensorboard", "trainer.epochs=2", *DEMO)
    assert done.code == 0, done.err
    directory = tmp_path / "outputs" / "a"
    events = curves(directory)
    steps = (directory / "metrics.jsonl").read_text().splitlines()
    assert len(events.Scalars("train/loss")) == len(steps)
    assert len(events.Scalars("dev/f1")) == 2
    summary = read_json(directory / "summary.json")
    assert events.Scalars("dev/f1")[-1].value == pytest.approx(summary["f1"], abs=1e-4)
    assert events.Scalars("summary/crossfit_f1")[0].value == pytest.approx(summary["crossfit_f1"], abs=1e-4)
    assert {"config/text_summary", "probe_0/text_summary"} <= set(events.Tags()["tensors"])
    assert not any(name.startswith("tensorboard/") for name in read_json(directory / "MANIFEST.json")["files"])


@pytest.mark.thorough
def test_an_attempt_that_starts_over_draws_new_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("train", "name=a", "trackers=tensorboard", *DEMO)
    with monkeypatch.context() as patch:
        patch.setattr("qaexp.experiment.one_run.write_results", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(tmp_path, *words)
    assert call(tmp_path, *words).code == 0
    directory = tmp_path / "outputs" / "a"
    events = curves(directory)
    steps = (directory / "metrics.jsonl").read_text().splitlines()
    assert len(events.Scalars("train/loss")) == len(steps)


@pytest.mark.thorough
def test_results_are_the_same_with_and_without_a_tracker(tmp_path: Path) -> None:
    for name, words in {"with": ["trackers=tensorboard"], "without": []}.items():
        assert call(tmp_path, "train", f"name={name}", *words, *DEMO).code == 0
    one, other = (read_json(tmp_path / "outputs" / name / "run.json") for name in ("with", "without"))
    assert one["run_id"] == other["run_id"]
    for file in ("metrics.jsonl", "predictions.jsonl", "history.csv"):
        found = {(tmp_path / "outputs" / name / file).read_bytes() for name in ("with", "without")}
        assert len(found) == 1, file


def test_a_missing_package_costs_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    done = call(tmp_path, "train", "name=a", "trackers=tensorboard", *DEMO)
    assert done.code == 0, done.err
    log = (tmp_path / "outputs" / "a" / "train.log").read_text()
    assert log.count("trackers.tensorboard is given up") == 1
    assert "pip install 'qaexp[tensorboard]'" in log


def test_texts_are_shown_as_they_are() -> None:
    assert tensorboard._verbatim("a | `b`\n<script>") == "`a ¦ 'b' <script>`"
    assert "| optimizer.lr | `0.1` |" in tensorboard._as_table({"optimizer.lr": 0.1, "trackers": {}})


def test_tensorboard_is_not_loaded_before_it_starts() -> None:
    code = (
        "import sys; from qaexp.nodes import TensorBoard; TensorBoard()\n"
        "print([name for name in ('tensorboard', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"
