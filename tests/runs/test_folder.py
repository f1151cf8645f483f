"""What a folder is, from its small files; that every command says the same stands in tests/commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.errors import ConfigError, IntegrityError
from qaexp.runs.checkpoint import commit_checkpoint
from qaexp.runs.readers.folder import look
from tests.fixtures.open_run import open_run


def complete(folder: Path) -> Path:
    with open_run(folder) as run:
        run.record_step({"step": 1, "loss": 0.5})
        run.complete({"f1": 80.0})
    return folder


def test_a_completed_run(tmp_path: Path) -> None:
    found = look(complete(tmp_path / "a"))
    assert (found.state, found.sentence, found.lacking, found.problems) == ("completed", "completed", [], [])
    assert (found.summary or {})["f1"] == 80.0
    found.check_completed()


def test_an_open_run_is_running_and_not_completed(tmp_path: Path) -> None:
    with open_run(tmp_path / "a") as run:
        found = look(tmp_path / "a")
        run.complete({})
    assert (found.state, found.is_resumable, found.summary) == ("running", False, None)
    found.check_readable()
    with pytest.raises(ConfigError, match=r"not completed \(running\): process \d+ on .* works in it"):
        found.check_completed()


def test_an_error_is_told_with_the_way_forward(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run(tmp_path / "a"):
        raise ZeroDivisionError("no such number\nsecond line")
    found = look(tmp_path / "a")
    resume = f"qaexp resume {tmp_path / 'a'} starts over"
    assert found.sentence == f"not completed (failed): {resume}; ZeroDivisionError: no such number …"
    commit_checkpoint(tmp_path / "a", 7, {}, identity="", records={})
    assert f"qaexp resume {tmp_path / 'a'} goes on after step 7; " in look(tmp_path / "a").about


def test_files_that_a_copy_lacks_are_named_in_short(tmp_path: Path) -> None:
    run = open_run(tmp_path / "a")
    with run:
        run.record_step({"step": 1})
        for name in ("data.json", "contexts.json", "predictions.jsonl", "history.csv", "scores.csv"):
            run.write_json(name, {})
        run.write_directory("model", lambda folder: [(folder / name).touch() for name in ("a", "b")])
        run.complete({})
    for name in ("data.json", "contexts.json", "predictions.jsonl", "history.csv", "model/a", "model/b"):
        (tmp_path / "a" / name).unlink()
    found = look(tmp_path / "a")
    assert found.state == "completed"
    assert found.about.startswith("a copy without data.json, history.csv, predictions.jsonl, contexts.json and 1 more;")
    assert "model/b" in found.lacking


@pytest.mark.parametrize(
    ("names", "state"),
    [
        ((), "not a run"),
        (("config.json",), "not a run"),
        (("config.json", "model.safetensors", "tokenizer_config.json"), "not a run"),
        (("MANIFEST.json", "state.json"), "not a run"),
        (("summary.json",), "not a run"),
        (("plan.json",), "sweep"),
        (("sweep.json", "sweep.csv"), "sweep"),
        (("data.json", "metrics.jsonl"), "damaged"),
        (("summary.json", "MANIFEST.json"), "damaged"),
    ],
)
def test_folders_without_run_json(tmp_path: Path, names: tuple[str, ...], state: str) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    found = look(tmp_path)
    assert found.state == state
    with pytest.raises(IntegrityError if state == "damaged" else ConfigError, match=r"run\.json|sweep"):
        found.check_readable()


def test_a_run_json_of_another_program_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"id": 7}')
    told = look(tmp_path).about
    assert "schema_version is None, not a number: another program wrote the file, or it was changed" in told
    assert told.count("move the folder away") == 1


def test_paths_that_are_not_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look(tmp_path / "missing").sentence == "not a run directory: there is nothing"
    assert look(tmp_path / "file").sentence == "not a run directory: it is not a folder"
    assert look(tmp_path / ("x" * 5000)).state == "damaged"


def test_the_way_forward_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    found = look(tmp_path / "a b")
    assert f"qaexp status '{tmp_path}/a b' lists the runs below it" in found.about
