"""Where a command may write for the user: never over a link, nor among the results of a run or a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaexp.cli.written import check_folder, check_target
from qaexp.errors import ConfigError


@pytest.mark.parametrize("target", ["/proc/self/fd/1", "/dev/null", "plain.txt", "missing.txt"])
def test_link_is_refused_and_stays(tmp_path: Path, target: str) -> None:
    (tmp_path / "plain.txt").write_text("old")
    link = tmp_path / "out.json"
    link.symlink_to(target)
    with pytest.raises(ConfigError, match="is a link"):
        check_target(link, "--csv")
    assert link.is_symlink()


def test_dash_is_no_file() -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        check_target(Path("-"), "--csv")


@pytest.mark.parametrize("marks", [("run.json",), ("summary.json", "config.json")])
@pytest.mark.parametrize("place", ["scores.csv", "report.html", "model/config.json", ".hydra/x.csv"])
def test_place_in_a_run_is_refused(tmp_path: Path, marks: tuple[str, ...], place: str) -> None:
    for mark in marks:
        (tmp_path / mark).write_text("{}")
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    with pytest.raises(ConfigError, match="only read"):
        check_target(path, "--csv")
    with pytest.raises(ConfigError, match="only read"):
        check_folder(path.parent, "--output")


@pytest.mark.parametrize("name", ["sweep.json", "plan.json", "sweep.csv"])
def test_record_of_a_sweep_is_refused_but_its_page_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(ConfigError, match="only read"):
        check_target(tmp_path / name, "--csv")
    check_target(tmp_path / "report.html", "--html")
    check_folder(tmp_path, "--output")


def test_a_folder_of_files_that_holds_a_link_in_the_place_of_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").symlink_to("elsewhere.txt")
    with pytest.raises(ConfigError, match="is a link"):
        check_folder(tmp_path, "--output", ["table.md", "groups.csv"])
    check_folder(tmp_path, "--output", ["table.md"])


def test_a_summary_of_something_else_far_above_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    check_target(tmp_path / "table.csv", "--csv")
    (tmp_path / "run.json").write_text("{}")
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    check_target(folder / "table.csv", "--csv")
