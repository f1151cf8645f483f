"""A job's folder: a readable name that every file system takes, found again by its run id."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.sweeps.job import Job, folders_by_id, readable_name
from tests.fixtures.checked import check_command_line


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (["seed=1", "optimizer.lr=0.001"], "seed=1,optimizer.lr=0.001"),
        (["model.checkpoint=a/b c"], "model.checkpoint=a_b_c"),
        (["+optimizer.how=x"], "optimizer.how=x"),
        (["data.train_file=größe.json"], "data.train_file=gr__e.json"),
        (["../../x"], "_.._x"),
        ([], "job"),
        (["key=" + "v" * 300], "key=" + "v" * 116),
    ],
)
def test_readable_names(changes: list[str], name: str) -> None:
    assert readable_name(changes) == name


def test_a_folder_is_found_again_by_its_run_id(tmp_path: Path) -> None:
    config = check_command_line(["model=tiny_random"])
    job = Job(("seed=1",), ("seed=1",), config)
    first = job.identified("ab" * 32, tmp_path)
    assert first.folder == tmp_path / "seed=1-abababab"
    assert first.run_id == "abababab"
    (tmp_path / "other,name-abababab").mkdir()
    assert job.identified("ab" * 32, tmp_path).folder == tmp_path / "other,name-abababab"
    assert job.identified("cd" * 32, tmp_path).folder == tmp_path / "seed=1-cdcdcdcd"


def test_of_two_folders_of_one_run_the_first_by_name_counts_and_files_do_not(tmp_path: Path) -> None:
    for name in ("b-abababab", "a-abababab", "c-cdcdcdcd"):
        (tmp_path / name).mkdir()
    (tmp_path / "a-cdcdcdcd").write_text("no folder")
    assert folders_by_id(tmp_path) == {"abababab": tmp_path / "a-abababab", "cdcdcdcd": tmp_path / "c-cdcdcdcd"}
    assert folders_by_id(tmp_path / "nothing") == {}


def test_digits_that_adding_up_made_stand_in_folders_and_not_in_what_is_told(tmp_path: Path) -> None:
    config = check_command_line(["model=tiny_random"])
    word = "optimizer.weight_decay=0.30000000000000004"
    job = Job((word,), (word, "seed=1"), config).identified("a" * 64, tmp_path)
    assert job.label == "optimizer.weight_decay=0.3 seed=1"
    assert job.folder.name == f"{word},seed=1-aaaaaaaa"
