"""What every tracker of a package gets: each step once, whatever attempts a run had, and nothing of what it has."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.experiment.trackers import Trackers
from qaexp.experiment.tracking import mirror, mlflow, packaged
from qaexp.experiment.tracking.about import about_run, pictures
from qaexp.experiment.tracking.numbers import units_text
from qaexp.experiment.tracking.wandb_files import record_bodies
from qaexp.runs.readers.collect import RunFiles, read_completed_run
from tests import REPOSITORY
from tests.fixtures.fake_run import build
from tests.fixtures.kept_tracker import Kept, Store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    return read_completed_run(build(tmp_path_factory.mktemp("outputs") / "a", num_examples=20, num_steps=12))


def sent(store: Store) -> list[tuple[str, int]]:
    return [(point.kind, point.step) for point in store.points]


def whole(run: RunFiles) -> Store:
    store = Store()
    assert mirror.mirror_run(run, Kept(store))
    return store


def test_a_completed_run_is_sent_whole_and_in_order(run: RunFiles) -> None:
    store = whole(run)
    steps = [row["step"] for row in run.steps().rows]
    epochs = [row["step"] for row in run.history()]
    assert [step for kind, step in sent(store) if kind == "step"] == steps
    assert [step for kind, step in sent(store) if kind == "evaluation"] == epochs
    assert [point.kind for point in store.points][-1] == "summary"
    assert [step for _, step in sent(store)] == sorted(step for _, step in sent(store))
    assert store.points[0].numbers["train/loss"] == run.steps().rows[0]["loss"]
    assert store.points[-1].numbers["summary/f1"] == run.summary["f1"]  # type: ignore[index]
    assert [step for step, _ in store.texts] == epochs
    assert all(point.at >= about_run(run.path, run.config).started for point in store.points)


def test_again_sends_nothing(run: RunFiles) -> None:
    store = whole(run)
    before = list(store.points)
    assert not mirror.mirror_run(run, Kept(store))
    assert store.points == before


@pytest.mark.parametrize("taken", [0, 1, 5, 14])
def test_a_server_that_went_away_gets_the_rest_and_nothing_twice(run: RunFiles, taken: int) -> None:
    store = Store()
    with pytest.raises(ConnectionError):
        mirror.mirror_run(run, Kept(store, fails_after=taken))
    assert mirror.mirror_run(run, Kept(store))
    assert sent(store) == sent(whole(run))


@pytest.mark.parametrize(("stopped", "checkpoint"), [(9, 6), (7, 6), (6, 6), (2, 6)])
def test_a_resumed_run_goes_on(run: RunFiles, stopped: int, checkpoint: int) -> None:
    """Steps after the checkpoint are not doubled, and those that an attempt could not send follow."""
    store = Store()
    rows = list(run.steps().rows)
    first = Kept(store)
    first.start(run.path, run.config, 0)
    for row in rows[:stopped]:
        first.step(row)
    first.finish(None)
    assert not store.is_complete
    second = Kept(store)
    second.start(run.path, run.config, rows[checkpoint - 1]["step"])
    for row in rows[checkpoint:]:
        second.step(row)
    second.finish(run.summary)
    assert [step for kind, step in sent(store) if kind == "step"] == [row["step"] for row in rows]
    assert store.is_complete


def test_a_key_is_that_of_the_folder_wherever_it_lies(run: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "a"
    moved.symlink_to(run.path)
    assert about_run(run.path, run.config).key == about_run(moved.resolve(), run.config).key
    renamed = read_completed_run(build(tmp_path / "b", num_examples=20, num_steps=12))
    assert about_run(renamed.path, renamed.config).key != about_run(run.path, run.config).key


def test_a_job_has_its_sweep_as_its_group(tmp_path: Path) -> None:
    folder = build(tmp_path / "rates" / "lr=1", num_examples=20, num_steps=12)
    assert about_run(folder, {}).title == "lr=1"
    (tmp_path / "rates" / "plan.json").write_text("{}")
    about = about_run(folder, {"optimizer": {"lr": 1}, "tags": ["paper"]})
    assert (about.sweep, about.title, about.tags) == ("rates", "rates/lr=1", ["paper"])
    assert about.parameters == {"run_id": about.run_id, "optimizer.lr": 1, "tags": ["paper"]}


def test_pictures_behind_a_link_are_none_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "loss.png").write_bytes(b"")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plots").symlink_to(tmp_path / "other")
    assert pictures(tmp_path / "run") == []
    assert [file.name for file in pictures(tmp_path)] == []


def test_units_are_those_of_the_table() -> None:
    lines = dict(line.split(": ") for line in units_text().splitlines())
    assert "dev/f1" in lines["%"]
    assert "summary/train_seconds" in lines["s"]
    assert "speed/memory_mib" in lines["MiB"]


def test_a_setting_that_is_too_long_says_that_it_is_cut() -> None:
    assert mlflow._shortened("é" * 6_000) == "é" * 6_000
    assert mlflow._shortened("é" * 6_001).endswith("é…")
    assert len(mlflow._shortened("é" * 6_001)) == 6_000


@pytest.mark.parametrize("name", sorted(mirror.DESTINATIONS))
def test_a_package_that_is_missing_is_named_with_the_way_out(
    name: str, run: RunFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    def lost(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(packaged, "import_module", lost)
    destination = mirror.DESTINATIONS[name]
    with caplog.at_level(logging.WARNING, "qaexp"), Trackers({name: mirror.tracker_of(destination, "p")}) as trackers:
        trackers.start(run.path, run.config, 0)
        trackers.step(run.steps().rows[0])
        trackers.finish(run.summary or {})
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"trackers.{name} is given up, the run goes on: No module named ")
    assert told.endswith(f"; pip install 'qaexp[{name}]'")
    assert list(tmp_path.iterdir()) == []


def test_no_package_is_loaded_before_a_tracker_starts() -> None:
    code = (
        "import sys; from qaexp.nodes import MLflow, TensorBoard, Trackio, Wandb\n"
        "MLflow(), TensorBoard(), Trackio(), Wandb()\n"
        "print([name for name in ('mlflow', 'tensorboard', 'trackio', 'wandb', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_records_of_offline_files(tmp_path: Path) -> None:
    """A record may be cut at the end of a block, and a file where its process was killed."""

    def piece(kind: int, body: bytes) -> bytes:
        return bytes(4) + len(body).to_bytes(2, "little") + bytes([kind]) + body

    first, long = piece(1, b"one"), 32_768 - 7 - 10 - 7
    blocks = b":W&B\xe1\xbe\x00" + first + piece(2, b"x" * long) + piece(3, b"y" * (32_768 - 7)) + piece(4, b"z")
    path = tmp_path / "run-a.wandb"
    path.write_bytes(blocks + piece(1, b"last"))
    assert list(record_bodies(path)) == [b"one", b"x" * long + b"y" * (32_768 - 7) + b"z", b"last"]
    path.write_bytes(blocks + piece(1, b"last")[:-1])
    assert [len(body) for body in record_bodies(path)][-1] == long + 32_768 - 7 + 1
    path.write_bytes(json.dumps({}).encode())
    assert list(record_bodies(path)) == []
