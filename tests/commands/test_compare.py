"""`qaexp compare` as it is called: what stdout is, which files appear, and what it does not load."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qaexp.commands import compare
from tests.fixtures import tiny_run
from tests.fixtures.compared import scores, write_grid, write_run

HEAVY = ("torch", "transformers", "hydra", "datasets", "pandas", "matplotlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep and a run that was stopped."""
    path = tmp_path_factory.mktemp("compare")
    write_grid(path / "sweep", levels={1e-4: 50, 1e-3: 75})
    stopped = write_run(path / "sweep" / "stopped", scores(4, 50), changes={"optimizer.lr": 0.1})
    (stopped / "summary.json").unlink()
    return path


def test_table_names_groups_verdict_and_what_was_passed_over(folder: Path) -> None:
    done = tiny_run.call(folder, "compare", "sweep")
    assert done.code == 0
    for part in ("lr=0.001", "better", "only optimizer.lr differs", "Holm correction for 1 contrast;", "stopped"):
        assert part in done.out
    rows = [line for line in done.out.splitlines() if line.startswith(("1 ", "2 "))]
    assert [row.split()[1] for row in rows[:2]] == ["lr=0.001", "lr=0.0001"]
    assert done.out.startswith("lr=0.001 is better than lr=0.0001, by ")
    assert all(line == line.rstrip() for line in done.out.splitlines())


def test_stdout_is_one_json_document_with_the_promised_keys(folder: Path) -> None:
    found = json.loads(tiny_run.call(folder, "compare", "sweep", "--json").out)
    assert {"schema_version", "runs", "groups", "contrasts", "refused", "skipped"} <= found.keys()
    assert {"run_id", "path", "name", "state", "config", "summary"} <= found["runs"][0].keys()
    group = found["groups"][0]
    assert {"name", "run_ids", "n", "metrics"} <= group.keys()
    assert {"mean", "sd", "low", "high"} <= group["metrics"]["f1"].keys()
    contrast = found["contrasts"][0]
    assert {"a", "b", "single_factor", "changed", "exact", "f1", "verdict"} <= contrast.keys()
    assert {"difference", "mcnemar_b", "mcnemar_c", "p", "p_holm"} <= contrast["exact"].keys()
    assert {"difference", "low", "high", "p", "p_holm", "minimum_detectable"} <= contrast["f1"].keys()
    assert contrast["changed"] == ["optimizer.lr"]
    assert {"path", "reason"} <= found["skipped"][0].keys()
    names = {run["name"] for run in found["runs"]}
    assert len(names) == 6
    assert all(name.startswith("lr=") and "seed=" in name and "seeds." not in name for name in names)


def test_a_run_against_a_run_counts_as_mcnemar_does(folder: Path) -> None:
    found = json.loads(
        tiny_run.call(folder, "compare", "sweep/lr=0.0001,seed=0", "sweep/lr=0.001,seed=0", "--json").out
    )
    (contrast,) = found["contrasts"]
    assert contrast["kind"] == "runs"
    exact = contrast["exact"]
    num = 240
    assert exact["difference"] == pytest.approx(100 * (exact["mcnemar_c"] - exact["mcnemar_b"]) / num)


def test_files_are_written_where_they_were_asked_for(folder: Path, tmp_path: Path) -> None:
    names = ("table.csv", "flips.csv", "deep/report.html")
    table, flips, page = (str(tmp_path / name) for name in names)
    (tmp_path / "deep").mkdir()
    done = tiny_run.call(folder, "compare", "sweep", "--csv", table, "--flips-csv", flips, "--html", page)
    assert done.code == 0, done.err
    rows = list(csv.DictReader(io.StringIO(Path(table).read_text(), newline="")))
    assert [row["rank"] for row in rows] == ["1", "2"]
    kinds = {row["flip"] for row in csv.DictReader(io.StringIO(Path(flips).read_text(), newline=""))}
    assert "fixed" in kinds
    assert Path(page).stat().st_size > 2**20
    pictures = sorted((tmp_path / "deep" / "report_figures").iterdir())
    assert (tmp_path / "deep" / "report_figures" / "intervals.png") in pictures
    assert sorted(done.err.splitlines()) == sorted(f"wrote {path}" for path in (table, flips, page, *pictures))


def test_all_formats_are_written_into_one_folder(folder: Path, tmp_path: Path) -> None:
    done = tiny_run.call(folder, "compare", "sweep", "--output", str(tmp_path / "all"))
    assert done.code == 0, done.err
    files = {path.name for path in (tmp_path / "all").iterdir() if path.is_file()}
    assert files == {"groups.csv", "flips.csv", "report.html", "comparison.json", "table.md", "table.tex"}
    assert all(f"wrote {tmp_path / 'all' / name}" in done.err for name in files)
    one = tiny_run.call(folder, "compare", "sweep/lr=0.001,seed=0", "--output", str(tmp_path / "one"))
    assert (one.code, (tmp_path / "one" / "flips.csv").exists()) == (0, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("no/such",), "no/such"),
        (("sweep", "--metric", "f3"), "--metric f3"),
        (("sweep", "--baseline", "nothing"), "--baseline"),
        (("sweep", "--where", "lr"), "--where"),
        (("sweep", "--where", "lr>1"), "none of the 6 runs meets this; optimizer.lr is 0.0001, 0.001"),
        (("sweep", "--where", "lrr>1"), "did you mean optimizer.lr?"),
        (("sweep", "--by", "no.such.key"), "--by"),
        (("sweep", "--by", "lrr"), "did you mean optimizer.lr?"),
        (("sweep", "--json", "--latex"), "--json"),
        (("sweep", "--relevant", "-1"), "--relevant"),
        (("sweep", "--nonsense"), "--nonsense"),
        ((), "PATH"),
    ],
)
def test_mistakes_are_named(folder: Path, words: tuple[str, ...], says: str) -> None:
    done = tiny_run.call(folder, "compare", *words)
    assert done.code == 2
    assert says in done.last_line
    assert "Traceback" not in done.err


def test_patterns_are_expanded(folder: Path) -> None:
    found = json.loads(tiny_run.call(folder, "compare", "sweep/lr=0.001*", "--json").out)
    assert len(found["runs"]) == 3


def test_flips_need_two_groups(folder: Path) -> None:
    done = tiny_run.call(folder, "compare", "sweep/lr=0.001,seed=0", "--flips", "3")
    assert done.code == 2
    assert "two groups" in done.last_line


def test_strict_names_what_was_passed_over(folder: Path) -> None:
    assert tiny_run.call(folder, "compare", "sweep").code == 0
    done = tiny_run.call(folder, "compare", "sweep", "--strict")
    assert (done.code, "stopped" in done.err) == (8, True)


@pytest.mark.parametrize("words", [("--help",), ("sweep",), ("sweep", "--json")])
def test_nothing_heavy_is_loaded(folder: Path, words: tuple[str, ...]) -> None:
    script = (
        "import sys\nfrom qaexp.cli import main\n"
        f"try:\n    main(['compare', *{words!r}])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("option", ["--csv", "--flips-csv", "--html"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_compared(folder: Path, option: str) -> None:
    missing = tiny_run.call(folder, "compare", "sweep", option, "nowhere/x.csv")
    assert (missing.code, missing.out) == (5, "")
    assert "there is no folder nowhere; make it first" in missing.last_line
    taken = tiny_run.call(folder, "compare", "sweep", option, "sweep")
    assert (taken.code, taken.out) == (2, "")
    assert f"{option} sweep is a folder" in taken.last_line


def test_of_many_groups_the_first_are_shown_and_how_to_see_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_run.call(folder, "compare", "sweep").out
    monkeypatch.setattr(compare, "MOST_SHOWN", 1)
    cut = tiny_run.call(folder, "compare", "sweep").out
    assert "more group" not in whole
    assert re.search(r"\d+ more groups?; --all shows all, --csv, --json and --html have all", cut)
    assert tiny_run.call(folder, "compare", "sweep", "--all").out == whole
