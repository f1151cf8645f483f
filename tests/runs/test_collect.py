"""One good run is always found, whatever stands beside it; reading changes nothing."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from qaexp.errors import ConfigError
from qaexp.runs.readers.collect import collect, load_run_files, read_run
from qaexp.runs.readers.frame import load_history, load_predictions
from qaexp.runs.writing.run import Run
from tests.fixtures.fake_run import build
from tests.fixtures.open_run import open_run
from tests.fixtures.waiting import waits_at_most


def complete(run: Run) -> Path:
    with run:
        run.record_step({"step": 1, "loss": 0.5})
        run.record_epoch({"epoch": 1, "f1": 80.0, "probe_0": "Paris"})
        run.complete({"f1": 80.0})
    return run.directory


def test_run_is_read_back(tmp_path: Path) -> None:
    files = read_run(complete(open_run(tmp_path / "a")))
    assert files.config["seed"] == 2
    assert files.summary is not None
    assert files.summary["f1"] == 80.0
    assert files.steps().rows == [{"step": 1, "loss": 0.5}]
    assert files.history() == [{"epoch": 1, "f1": 80.0, "probe_0": "Paris"}]
    assert (files.predictions().rows, files.scores(), files.contexts(), files.flags) == ([], [], {}, [])


def plant_hostile_folders(root: Path, good: Path) -> None:
    """Put folders beside a good run that are no runs, half runs, or traps."""
    contents: dict[str, dict[str, str]] = {
        "empty": {},
        "only_config": {"config.json": "{}"},
        "hf": {"config.json": "{}", "model.safetensors": ""},
        "half": {"run.json": '{"schema_'},
        "list": {"run.json": "[]"},
        "newer": {"run.json": '{"schema_version": 9}'},
        "running": {"run.json": '{"schema_version": 1, "state": "running"}', "config.json": "{}"},
        "unversioned": {"run.json": "{}"},
        "no_config": {"run.json": '{"schema_version": 1}', "summary.json": "{}"},
        "half_summary": {"run.json": '{"schema_version": 1}', "config.json": "{}", "summary.json": '{"f1'},
        "deep": {"run.json": "[" * 50_000},
        "digits": {"run.json": '{"schema_version": ' + "1" * 5000 + "}"},
        "latin": {"run.json": "é"},
        "wandb": {"wandb-metadata.json": "{}"},
        "mlflow": {"meta.yaml": ""},
    }
    for name, files in contents.items():
        (root / name).mkdir()
        for file, text in files.items():
            (root / name / file).write_text(text, encoding="latin-1")
    for name in ("pipe", "linked", "looped", "device", "sparse", "folder", "secret"):
        (root / name).mkdir()
    os.mkfifo(root / "pipe" / "run.json")
    (root / "linked" / "run.json").symlink_to("/etc/passwd")
    (root / "looped" / "run.json").symlink_to(root / "looped" / "run.json")
    (root / "device" / "run.json").symlink_to("/dev/zero")
    (root / "sparse" / "run.json").touch()
    os.truncate(root / "sparse" / "run.json", 5 * 2**30)
    (root / "folder" / "run.json").mkdir()
    (root / "secret" / "run.json").write_bytes((good / "run.json").read_bytes())
    (root / "secret" / "run.json").chmod(0)
    (root / "round").symlink_to(root)
    (root / "alias").symlink_to(good)
    (root / "dangling").symlink_to(root / "nowhere")
    (root / "notes.txt").write_text("a file beside the runs")


def test_good_run_is_found_among_hostile_folders(tmp_path: Path) -> None:
    good = complete(open_run(tmp_path / "good"))
    plant_hostile_folders(tmp_path, good)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    with waits_at_most(2):
        found = collect(tmp_path, tmp_path / "missing", tmp_path / "notes.txt")
    assert [run.path.name for run in found.runs] == ["good"]
    skipped = {path.name: reason for path, reason in found.skipped}
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir() or path.is_symlink()} - {"good"}
    assert set(skipped) == folders | {"missing", "notes.txt"}
    assert len(skipped) == len(found.skipped)
    assert "not completed (killed)" in skipped["running"]
    assert "newer qaexp" in skipped["newer"]
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_runs_of_a_sweep_and_of_folders_of_sweeps(tmp_path: Path) -> None:
    for name in ("seed=1", "seed=0"):
        complete(open_run(tmp_path / "multirun_outputs" / "sweep" / name))
    (tmp_path / "multirun_outputs" / "sweep" / ".hidden").mkdir()
    for path in (tmp_path, tmp_path / "multirun_outputs", tmp_path / "multirun_outputs" / "sweep"):
        found = collect(path)
        assert [run.path.name for run in found.runs] == ["seed=0", "seed=1"]
        assert found.skipped == []
    assert [run.path.name for run in collect(tmp_path / "multirun_outputs" / "sweep" / "seed=1").runs] == ["seed=1"]


def test_folder_without_any_run_is_one_line(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
    assert collect(tmp_path).skipped == [(tmp_path, "not a run directory")]


def test_load_run_files_says_what_it_skips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "qaexp"):
        assert load_run_files(tmp_path) == []
    assert "skipped: not a run directory" in caplog.text


def test_load_run_files_says_whose_numbers_were_edited(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = complete(open_run(tmp_path / "a"))
    record = json.loads((folder / "run.json").read_text())
    with caplog.at_level(logging.WARNING, "qaexp"):
        load_run_files(folder)
        assert caplog.text == ""
        (folder / "run.json").write_text(json.dumps({**record, "summary_sha256": "0" * 64}))
        assert len(load_run_files(folder)) == 1
    assert "a/summary.json: was edited after the run: its numbers may be no result" in caplog.text


@pytest.mark.parametrize("name", ["scores.csv", "predictions.jsonl", "history.csv"])
def test_frames_say_which_files_were_edited(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    folder = build(tmp_path / "a", num_examples=20, num_steps=6)
    load = load_history if name == "history.csv" else load_predictions
    caplog.clear()
    with caplog.at_level(logging.WARNING, "qaexp"):
        load(folder)
        assert caplog.text == ""
        (folder / name).write_text((folder / name).read_text()[:-1])
        load(folder)
    assert f"a/{name}: is not the file that the run wrote: its numbers may be no result" in caplog.text


def test_config_is_data_and_never_resolved(tmp_path: Path) -> None:
    folder = complete(open_run(tmp_path / "a"))
    (folder / "config.json").write_text(json.dumps({"name": "${oc.env:HOME}", "_target_": "os.system"}))
    assert read_run(folder).config == {"name": "${oc.env:HOME}", "_target_": "os.system"}


def test_a_vanished_run_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["report_figures", "my_page_figures", "plots"])
def test_pictures_beside_runs_are_passed_over(tmp_path: Path, name: str) -> None:
    complete(open_run(tmp_path / "s" / "a"))
    pictures = tmp_path / "s" / name
    pictures.mkdir()
    (pictures / "costs.png").touch()
    assert collect(tmp_path).skipped == []
    assert [run.path.name for run in collect(tmp_path).runs] == ["a"]
    # Given by its name it is told what it is, and what holds anything else is not qaexp's own.
    assert [path for path, _ in collect(pictures).skipped] == [pictures]
    (pictures / "notes.txt").touch()
    assert [path for path, _ in collect(tmp_path).skipped] == [pictures]


def test_runs_in_a_folder_named_like_pictures_are_found(tmp_path: Path) -> None:
    complete(open_run(tmp_path / "new_figures" / "a"))
    complete(open_run(tmp_path / "plots"))
    assert sorted(run.path.name for run in collect(tmp_path).runs) == ["a", "plots"]
