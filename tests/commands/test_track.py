"""`qaexp track` by its words, exit codes and files; what trackers hold is in tests/experiment/test_tracking.py."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from qaexp.experiment.tracking import packaged
from qaexp.experiment.tracking.tensorboard import TensorBoard
from tests.fixtures import tiny_run
from tests.fixtures.compared import edit
from tests.fixtures.fake_run import build
from tests.fixtures.tiny_run import Called, call

EVENTS = "events.out.tfevents.*"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two completed runs."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("a", "b"):
        build(folder / "outputs" / name, num_examples=20, num_steps=6)
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def track(folder: Path, *words: str, to: str = "tensorboard") -> Called:
    return call(folder, "track", *words, "--to", to)


def places(folder: Path) -> list[str]:
    """The folders of event files, without the ids of runs, which are behind the names of single ones."""
    found = (path.parent.relative_to(folder / "tensorboard").as_posix() for path in folder.rglob(EVENTS))
    return sorted(re.sub(r"-[0-9a-f]{8}$", "", place) for place in found)


def test_runs_of_one_name_have_places_of_their_own(work: Path) -> None:
    shutil.copytree(work / "outputs" / "a", work / "more" / "a")
    edit(work / "more" / "a" / "run.json", run_id="0123abcd")
    assert track(work, "outputs/a", "more/a").code == 0
    assert len({path.parent for path in work.rglob(EVENTS)}) == 2


def test_runs_are_sent_and_nothing_of_them_changes(work: Path) -> None:
    before = tiny_run.snapshot(work / "outputs")
    done = track(work, "outputs/a", "outputs/b")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "outputs/a: sent",
        "outputs/b: sent",
        "2 runs sent, 0 there already; tensorboard --logdir tensorboard shows them",
    ]
    assert places(work) == ["a", "b"]
    assert tiny_run.snapshot(work / "outputs") == before
    assert track(work, "outputs").code == 0
    assert places(work) == ["a", "b"], "again without doubles"


def test_a_sweep_is_a_group_with_its_comparison(work: Path) -> None:
    (work / "outputs" / "sweep.json").write_text(json.dumps({"name": "outputs"}))
    done = track(work, "outputs")
    assert (done.code, "outputs: its comparison is sent" in done.out) == (0, True)
    assert places(work) == ["outputs/a", "outputs/b", "outputs/comparison"]


def test_what_is_unfinished_is_skipped_and_sent_later(work: Path) -> None:
    summary = work / "outputs" / "b" / "summary.json"
    kept = summary.read_bytes()
    summary.unlink()
    done = track(work, "outputs/a", "outputs/b")
    assert (done.code, places(work)) == (0, ["a"])
    assert done.err.startswith("qaexp track: outputs/b: skipped: not completed (unfinished end)")
    alone = track(work, "outputs/b")
    assert (alone.code, alone.last_line) == (
        2,
        "qaexp track: nothing was sent: there is no completed run in what was given",
    )
    summary.write_bytes(kept)
    assert (track(work, "outputs/b").code, places(work)) == (0, ["a", "b"])


@pytest.mark.parametrize("file", ["summary.json", "history.csv", "metrics.jsonl", "config.json"])
def test_a_damaged_run_is_not_sent_and_the_others_are(file: str, work: Path) -> None:
    path = work / "outputs" / "b" / file
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    for given, code in ((("outputs/a", "outputs/b"), 8), (("outputs",), 0), (("outputs/b",), 8)):
        shutil.rmtree(work / "tensorboard", ignore_errors=True)
        done = track(work, *given)
        assert (done.code, "outputs/b: skipped: " in done.err, file in done.err) == (code, True, True), done.err
        assert places(work) == (["a"] if len(given) == 2 or given == ("outputs",) else [])


def test_paths_that_are_not_there(work: Path) -> None:
    done = track(work, "outputs/a", "outputs/c")
    assert (done.code, places(work)) == (2, [])
    assert "outputs/c: there is no such file or folder" in done.err
    assert track(work, "outputs/a", to="comet").code == 2
    assert "s3://b/x" in track(work, "s3://b/x").err


def test_a_package_that_is_missing(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(packaged, "import_module", lost)
    for to in ("mlflow", "wandb", "trackio", "tensorboard"):
        done = track(work, "outputs", to=to)
        assert (done.code, f"pip install 'qaexp[{to}]'" in done.last_line) == (2, True), done.err


def test_a_store_that_refuses(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(TensorBoard, "_send", refuse)
    done = track(work, "outputs")
    assert done.code == 5
    assert done.err == (
        "qaexp track: outputs/a: not sent: ConnectionError: the server is gone; the same command sends what is "
        "missing\n"
    )


@pytest.mark.parametrize("store", ["tensorboard", "wandb"])
def test_a_file_where_the_store_should_be(work: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / store).write_text("a file")
    (work / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work / "temporary"))
    done = track(work, "outputs", to=store)
    assert (done.code, store in done.last_line) == (5, True)
    assert not (work / "temporary" / "wandb").exists(), "wandb's own way out"
