"""Of copies of a sweep the originals count: by what their folders are called, whatever the order of the arguments."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import pytest

from qaexp.comparison.compare import Options, compare
from tests.fixtures.compared import edit, scores, write_run


def job(sweep: Path, seed: int, **changes: object) -> Path:
    """A job as qaexp names it: its folder ends with the run's id."""
    run = write_run(sweep / f"seed={seed}", scores(seed, 50, 40), changes={"seed": seed, "name": sweep.name, **changes})
    run_id = json.loads((run / "run.json").read_text("utf-8"))["run_id"]
    return run.rename(sweep / f"seed={seed}-{run_id}")


def counted(paths: list[Path], options: Options) -> set[Path]:
    return {entry.run.path for entry in compare(paths, options).entries}


@pytest.mark.parametrize("name", ["a_copy", "renamed", "z_copy"])
def test_the_originals_of_a_sweep_count_in_any_order(tmp_path: Path, options: Options, name: str) -> None:
    originals = {job(tmp_path / "m", seed) for seed in (0, 1)}
    shutil.copytree(tmp_path / "m", tmp_path / name)
    shutil.copytree(tmp_path / "m", tmp_path / "backup" / "old" / "other")
    for paths in itertools.permutations([tmp_path / "m", tmp_path / name, tmp_path / "backup"]):
        assert counted(list(paths), options) == originals
    comparison = compare([tmp_path / name, tmp_path / "m"], options)
    assert {reason for _, reason in comparison.skipped} == {f"the same run as {run}" for run in originals}


def test_a_sweep_in_a_folder_of_its_own_name_is_told_by_what_it_recorded(tmp_path: Path, options: Options) -> None:
    original = job(tmp_path / "mine", 0, name="something else")
    (tmp_path / "mine" / "sweep.json").write_text(json.dumps({"name": "mine", "jobs": []}), "utf-8")
    shutil.copytree(tmp_path / "mine", tmp_path / "a")
    for paths in ([tmp_path / "mine", tmp_path / "a"], [tmp_path / "a", tmp_path / "mine"]):
        assert counted(paths, options) == {original}


def test_a_job_that_was_moved_on_its_own_and_a_renamed_run_are_copies(tmp_path: Path, options: Options) -> None:
    original = job(tmp_path / "sweep", 0)
    single = write_run(tmp_path / "outputs" / "single", scores(1, 50, 40), changes={"seed": 1, "name": "single"})
    shutil.copytree(original, tmp_path / "a" / "best")
    shutil.copytree(single, tmp_path / "a" / "also")
    folders = [tmp_path / "a", tmp_path / "outputs", tmp_path / "sweep"]
    for paths in itertools.permutations(folders):
        assert counted(list(paths), options) == {original, single}


def test_an_original_that_lost_its_scores_is_replaced_by_its_copy(tmp_path: Path, options: Options) -> None:
    original = job(tmp_path / "sweep", 0)
    shutil.copytree(tmp_path / "sweep", tmp_path / "copy")
    (original / "scores.csv").unlink()
    assert counted([tmp_path], options) == {tmp_path / "copy" / original.name}


@pytest.mark.parametrize("seconds", [1.0, 99_999.0])
def test_of_a_run_and_its_edited_copy_the_run_counts(tmp_path: Path, options: Options, seconds: float) -> None:
    run = job(tmp_path / "sweep", 0)
    edit(run / "run.json", summary_sha256=hashlib.sha256((run / "summary.json").read_bytes()).hexdigest())
    shutil.copytree(tmp_path / "sweep", tmp_path / "a")
    edit(tmp_path / "a" / run.name / "summary.json", train_seconds=seconds)
    for paths in ([tmp_path / "a", tmp_path / "sweep"], [tmp_path / "sweep", tmp_path / "a"]):
        assert counted(paths, options) == {run}
