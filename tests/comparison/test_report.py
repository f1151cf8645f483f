"""The page, its pictures and its numbers: the same bytes for the same runs, the same numbers for every reader."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import qaexp
from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.shown.document import document
from qaexp.comparison.shown.figure_data import figure_data
from qaexp.comparison.shown.flip_data import MAX_FLIPS
from qaexp.comparison.shown.paper import csv, latex, markdown
from qaexp.comparison.shown.report import write_report
from qaexp.errors import IntegrityError
from tests.fixtures.compared import rows_of, scores, write_grid, write_run


@pytest.fixture(scope="module")
def comparison(grid: Path, options: Options) -> Comparison:
    return compare([grid], replace(options, baseline="lr=0.0001"))


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(comparison, tmp_path_factory.mktemp("report") / "report.html")[0]


class Reader(HTMLParser):
    """The data block, and the cells of the first table."""

    def __init__(self) -> None:
        super().__init__()
        self.data = ""
        self.rows: list[list[str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = "data" if ("id", "data") in attrs else tag if tag in ("td", "th") else self._inside
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data
        elif self._inside in ("td", "th") and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "td", "th"):
            self._inside = ""


def test_every_reader_tells_the_same_numbers(comparison: Comparison, page: Path, grid: Path) -> None:
    told = document(comparison)
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    figures = {row["name"]: row for row in json.loads(reader.data)["intervals"]}
    table = {row["group"]: row for row in rows_of(_written(page.parent, csv(comparison)))}
    frame = qaexp.load_runs(grid)
    for group in told["groups"]:
        found = group["metrics"]["crossfit_f1"]
        row, drawn = table[group["name"]], figures[group["name"]]
        assert float(row["crossfit_f1"]) == found["mean"] == drawn["y"]
        assert float(row["crossfit_f1_low"]) == found["low"] == drawn["low"]
        assert (int(row["n"]), int(row["rank"])) == (group["n"], group["rank"])
        of_group = frame[frame["run_id"].isin(group["run_ids"])]
        assert of_group["crossfit_f1"].mean() == pytest.approx(found["mean"], abs=1e-12)
        assert of_group["crossfit_f1"].std() == pytest.approx(found["sd"], abs=1e-12)
        shown = next(cells for cells in reader.rows if len(cells) > 4 and cells[1].strip() == group["name"])
        assert shown[3].split()[0] == f"{found['mean']:.1f}"
    contrasts = {row["name"]: row for row in json.loads(reader.data)["contrasts"]}
    for contrast in told["contrasts"]:
        if contrast["a"] == told["baseline"]:
            assert contrasts[contrast["b"]]["y"] == contrast["crossfit_f1"]["difference"]


def _written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, "utf-8")
    return path


def test_the_same_runs_give_the_same_bytes(grid: Path, options: Options, tmp_path: Path) -> None:
    files = []
    for name, paths in (("one", [grid]), ("two", sorted(grid.iterdir(), reverse=True))):
        written = write_report(compare(paths, options), tmp_path / name / "report.html")
        files.append({path.relative_to(tmp_path / name): path.read_bytes() for path in written})
    assert files[0] == files[1]
    assert {path.name for path in files[0]} >= {"report.html", "intervals.png", "contrasts.png", "curves.png"}


def test_a_report_that_says_the_same_is_not_touched(comparison: Comparison, page: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in page.parent.rglob("*")}
    write_report(comparison, page)
    assert {path: path.stat().st_mtime_ns for path in page.parent.rglob("*")} == before


def test_the_page_asks_for_nothing(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "default-src &#39;none&#39;" in text
    head = text[: text.index("<script")]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", head)


@pytest.mark.slow
def test_a_hundred_runs_stay_below_eight_mebibytes(tmp_path: Path, options: Options) -> None:
    for number in range(100):
        f1 = scores(number, 50 + number // 5, 400)
        write_run(
            tmp_path / "s" / f"{number}", f1, changes={"optimizer.lr": (number // 5 + 1) / 1e4, "seed": number % 5}
        )
    comparison = compare([tmp_path / "s"], options)
    (path, *pictures) = write_report(comparison, tmp_path / "report.html")
    assert path.stat().st_size < 8 * 2**20
    assert pictures
    assert len(figure_data(comparison)["flips"]["rows"]) <= MAX_FLIPS


def test_no_run_makes_a_page_that_says_so(tmp_path: Path, options: Options) -> None:
    (tmp_path / "empty").mkdir()
    (path,) = write_report(compare([tmp_path / "empty"], options), tmp_path / "report.html")
    assert "No completed run was found" in path.read_text("utf-8")


def test_bold_only_where_the_difference_is_significant(comparison: Comparison) -> None:
    text = markdown(comparison)
    rows = [line for line in text.splitlines() if line.startswith("| lr")]
    assert [("**" in line) for line in rows] == [True, False, False]
    assert "after Holm over 3 contrasts" in text
    paper = latex(comparison)
    assert paper.count(r"\textbf{") == 1
    assert r"lr=0.001" in paper
    assert r"crossfit\_f1" in paper


def test_nothing_is_bold_where_nothing_is_shown(tmp_path: Path, options: Options) -> None:
    write_grid(tmp_path / "s", levels={1e-4: 50, 3e-4: 50.4}, seeds=3)
    comparison = compare([tmp_path / "s"], options)
    assert "**" not in markdown(comparison)
    assert r"\textbf" not in latex(comparison)


@pytest.mark.case("plots_that_is_a_link")
def test_pictures_are_not_written_through_a_link(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "report_figures").symlink_to(tmp_path / "mine")
    with pytest.raises(IntegrityError, match="report_figures is a link, which is not followed"):
        write_report(comparison, tmp_path / "report.html")
    assert list((tmp_path / "mine").iterdir()) == []
