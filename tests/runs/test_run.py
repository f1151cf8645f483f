"""An open run leaves a true state behind, however it ends, and summary.json only when it completed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qaexp.errors import BusyError, ConfigError, DataError, IntegrityError, StorageError
from qaexp.runs.directory import SUMMARY_KEYS
from qaexp.runs.identity import identify
from qaexp.runs.writing.reuse import completed_summary
from qaexp.runs.writing.run import Run
from tests import REPOSITORY
from tests.fixtures.open_run import open_run


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def complete(run: Run) -> None:
    with run:
        with run.stage("data"):
            run.write_json("data.json", {"train_ids": ["a"]})
        run.record_step({"step": 1, "loss": 0.5})
        run.record_timing({"step": 1, "elapsed_seconds": 0.1})
        run.record_epoch({"epoch": 1, "f1": 80.0, "probe_0": "=Paris"})
        run.record_epoch({"epoch": 2, "f1": None, "probe_0": ""})
        run.write_directory("model", lambda folder: (folder / "weights").write_text("1"))
        run.complete({"f1": 80.0, "exact": 70.0, "test_f1": 60.0})


def test_completed_run_holds_every_record(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "a"
    complete(open_run(folder, threads=2, hydra_files={"overrides.yaml": ["seed=2"]}))
    assert (folder / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'
    assert (folder / "history.csv").read_text() == "epoch,f1,probe_0\n1,80.0,'=Paris\n2,,\n"
    assert (folder / ".hydra" / "overrides.yaml").read_text() == "- seed=2\n"
    assert read(folder / "config.json") == {"name": "a", "seed": 2}
    record = read(folder / "run.json")
    assert (record["state"], record["stage"], record["attempt"], record["threads"]) == ("completed", "data", 1, 2)
    assert (record["pid"], record["error"], record["flags"]) == (os.getpid(), None, [])
    assert record["ended"] >= record["started"]


def test_summary_names_the_manifest_and_the_manifest_the_files(tmp_path: Path) -> None:
    complete(open_run(tmp_path / "a"))
    summary = read(tmp_path / "a" / "summary.json")
    assert tuple(summary) == (*SUMMARY_KEYS, "test_f1")
    assert (summary["f1"], summary["mfu"], summary["test_f1"]) == (80.0, None, 60.0)
    manifest = tmp_path / "a" / "MANIFEST.json"
    assert summary["manifest_sha256"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
    files = read(manifest)["files"]
    assert list(files) == ["config.json", "env.json", "data.json", "metrics.jsonl", "history.csv", "model/weights"]
    assert files["model/weights"] == {"sha256": hashlib.sha256(b"1").hexdigest(), "size": 1}


def test_error_is_recorded_and_its_traceback_only_in_debug_log(tmp_path: Path) -> None:
    run = open_run(tmp_path / "a")

    def fail() -> None:
        run.log.info("for people")
        raise DataError("a.json: broken")

    with pytest.raises(DataError), run, run.stage("features"):
        fail()
    record = read(tmp_path / "a" / "run.json")
    assert (record["state"], record["stage"]) == ("failed", "features")
    assert record["error"] == {"kind": "data", "message": "a.json: broken"}
    assert "Traceback" in (tmp_path / "a" / "debug.log").read_text()
    train_log = (tmp_path / "a" / "train.log").read_text()
    assert "for people" in train_log
    assert "Traceback" not in train_log
    assert not (tmp_path / "a" / "summary.json").exists()


@pytest.mark.parametrize(
    ("error", "state", "kind"),
    [
        (KeyboardInterrupt(), "preempted", "interrupted"),
        (SystemExit(3), "failed", "bug"),
        (ZeroDivisionError("x"), "failed", "bug"),
    ],
)
def test_every_exception_leaves_a_state(tmp_path: Path, error: BaseException, state: str, kind: str) -> None:
    with pytest.raises(type(error)), open_run(tmp_path / "a"):
        raise error
    record = read(tmp_path / "a" / "run.json")
    assert (record["state"], record["error"]["kind"]) == (state, kind)


def test_body_without_complete_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="without complete"), open_run(tmp_path / "a"):
        pass
    assert read(tmp_path / "a" / "run.json")["state"] == "failed"


def test_unfinished_run_starts_over(tmp_path: Path) -> None:
    folder = tmp_path / "a"

    def fail(run: Run) -> None:
        run.record_step({"step": 1, "loss": 0.5})
        run.record_epoch({"epoch": 1})
        run.raise_flag("loss_spike", "lower the rate", step=1)
        (folder / "notes.txt").write_text("mine")
        (folder / ".tmp-x").write_text("left by a kill")
        raise DataError("first attempt")

    with pytest.raises(DataError), open_run(folder) as run:
        fail(run)
    complete(open_run(folder))
    assert (folder / "metrics.jsonl").read_text().count("\n") == 1
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / ".tmp-x").exists()
    record = read(folder / "run.json")
    assert (record["attempt"], record["state"], record["flags"], record["error"]) == (2, "completed", [], None)
    assert "first attempt" in (folder / "debug.log").read_text()


def test_completed_run_is_shown_and_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    complete(open_run(folder))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    identity = identify({"seed": 2}, {"name"}, {"sha256": "d"}, {"sha256": "w"})
    summary = completed_summary(folder, identity)
    assert summary is not None
    assert summary["f1"] == 80.0
    assert completed_summary(tmp_path / "nothing", identity) is None
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with pytest.raises(BusyError, match="just completed"), open_run(folder):
        pass
    assert read(folder / "summary.json") == summary


def test_another_run_in_the_directory_is_refused_by_what_differs(tmp_path: Path) -> None:
    complete(open_run(tmp_path / "a"))
    before = (tmp_path / "a" / "run.json").read_bytes()
    with pytest.raises(ConfigError, match=r"seed was 2, now 3; take another name="), open_run(tmp_path / "a", seed=3):
        pass
    assert (tmp_path / "a" / "run.json").read_bytes() == before


def test_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"'thesis.tex' but no run"), open_run(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_directory_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema_version": 99}')
    with pytest.raises(ConfigError, match="newer qaexp"), open_run(tmp_path):
        pass


def test_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema_ver')
    with pytest.raises(IntegrityError, match="not JSON"), open_run(tmp_path):
        pass


def test_parent_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"), open_run(tmp_path / "file" / "a"):
        pass


def test_flags_stand_once(tmp_path: Path) -> None:
    run = open_run(tmp_path / "a")
    with run:
        run.raise_flag("null_collapse", "train on answerable questions first")
        run.raise_flag("null_collapse", "again")
        run.complete({})
    assert read(tmp_path / "a" / "run.json")["flags"] == [
        {"name": "null_collapse", "step": None, "advice": "train on answerable questions first"}
    ]


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    complete(open_run(tmp_path / "a", is_main=False))
    assert not (tmp_path / "a").exists()


def test_unwritable_summary_leaves_a_failed_run(tmp_path: Path) -> None:
    run = open_run(tmp_path / "a")
    with pytest.raises(ValueError, match="Out of range"), run:
        run.complete({"f1": float("nan")})
    assert read(tmp_path / "a" / "run.json")["state"] == "failed"
    assert not (tmp_path / "a" / "summary.json").exists()


@pytest.mark.parametrize("point", [f"rename:{name}.json" for name in ("run", "config", "MANIFEST", "summary")])
def test_kill_at_any_file_can_be_repeated(tmp_path: Path, point: str) -> None:
    folder = tmp_path / "a"
    code = "import sys; from pathlib import Path; from tests.runs import test_run\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}test_run.complete(test_run.open_run(Path(sys.argv[1])))", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "QAEXP_CRASH_AT": point},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (folder / "summary.json").exists()
    complete(open_run(folder))
    assert read(folder / "summary.json")["f1"] == 80.0
