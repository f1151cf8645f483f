"""The comparison that ends a sweep reaches its trackers, and one that fails costs a line in the log."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.experiment import trackers
from qaexp.experiment.tracking.about import about_run
from qaexp.experiment.tracking.packaged import ComparisonTable
from qaexp.experiment.tracking.tensorboard import TensorBoard
from qaexp.sweeps.job import Job
from qaexp.sweeps.tracked import tell_trackers
from tests.fixtures.checked import check_command_line
from tests.fixtures.fake_run import build

OURS = {"tensorboard": {"_target_": "qaexp.nodes.TensorBoard", "flush_seconds": 1}}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rates"
    build(folder / "lr=1", num_examples=20, num_steps=6)
    (folder / "sweep.json").write_text(json.dumps({"name": "rates"}))
    return folder


def compared(sweep: Path) -> Comparison:
    return compare([sweep], Options())


def jobs(nodes: dict[str, Any]) -> list[Job]:
    return [Job((), (), replace(check_command_line([]), trackers=nodes))]


def test_a_tracker_gets_the_table(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ComparisonTable] = []
    monkeypatch.setattr(TensorBoard, "comparison", lambda _, table: told.append(table))
    tell_trackers(sweep, jobs(OURS), compared(sweep))
    (table,) = told
    assert (table.sweep, len(table.rows)) == (sweep, 1)
    assert table.markdown.startswith("| group |")
    assert table.run_keys == [about_run(sweep / "lr=1", {}).key]


def fail(*_: object) -> None:
    raise ConnectionError("planted")


def hang(*_: object) -> None:
    threading.Event().wait()


@pytest.mark.parametrize("fault", [fail, hang])
def test_one_that_fails_is_told_once(
    fault: Any, sweep: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trackers, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(TensorBoard, "comparison", fault)
    with caplog.at_level(logging.WARNING, "qaexp"):
        tell_trackers(sweep, jobs(OURS), compared(sweep))
    (line,) = [record.getMessage() for record in caplog.records if "trackers" in record.getMessage()]
    assert line.startswith("trackers.tensorboard is given up, it has no comparison of the sweep: ")


def test_a_tracker_of_the_users_own_is_not_built(sweep: Path) -> None:
    tell_trackers(sweep, jobs({"mine": {"_target_": "no_such_package.Mine"}}), compared(sweep))
    tell_trackers(sweep, jobs({}), compared(sweep))
