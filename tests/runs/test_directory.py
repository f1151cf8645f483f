"""Run names are plain folder names, and the manifest covers what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.errors import ConfigError
from qaexp.runs.directory import check_name, result_files


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a\nb",
        "..",
        ".",
        ".hidden",
        "a/b",
        "/a",
        "-x",
        "trailing ",
        " leading",
        "x" * 201,
        "é" * 101,
        "a\x00",
        "a\x1b[0m",
        "\u202eabc",
        "\ud800",
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name: "):
        check_name(name)


@pytest.mark.parametrize("name", ["first-try", "a b", "seed=2,lr=1e-4", "ünï 🙂", "x" * 200, "a..b"])
def test_good_names_pass(name: str) -> None:
    check_name(name)


def test_result_files_leave_out_what_can_be_rebuilt(tmp_path: Path) -> None:
    for name in ("config.json", "run.json", "train.log", "timings.jsonl", "summary.json", "notes.txt", "report.html"):
        (tmp_path / name).touch()
    for folder in ("model", "plots", "checkpoints", ".hydra"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "inner").touch()
    names = [path.relative_to(tmp_path).as_posix() for path in result_files(tmp_path)]
    assert names == ["config.json", "model/inner"]
