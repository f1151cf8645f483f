"""Pictures and the page come from the run's files alone, are the same bytes each time, and never cost a run."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from qaexp.reporting.reporter import Reporter
from qaexp.runs.manifest import describe_files
from qaexp.runs.readers.collect import read_run
from qaexp.storage.files import write_rows
from tests.fixtures.fake_run import build as build_run

PICTURES = [
    "loss",
    "train_accuracy",
    "scores",
    "learning_rate",
    "threshold",
    "calibration",
    "risk_coverage",
    "probes",
    "slices",
]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HOSTILE = [
    "$\\frac$ _x^2 [/x] 100%",
    "NUL\0",
    "\ud800",
    "<script>alert(1)</script>",
    "\x1b]0;title\x07\u202e",
    "東京🙂",
    "x" * 5000,
    "$",
]


@pytest.fixture
def copied_run(fake_run: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return Path(shutil.copytree(fake_run, tmp_path / "run"))


def test_every_picture_and_the_page_are_drawn_twice_alike(copied_run: Path) -> None:
    manifest = describe_files(copied_run)
    written = Reporter(plots=True, html=True).report(copied_run)
    assert [path.relative_to(copied_run).as_posix() for path in written] == [
        f"plots/{name}.png" for name in PICTURES
    ] + ["report.html"]
    first = {path: path.read_bytes() for path in written}
    assert all(data.startswith(PNG_SIGNATURE) for path, data in first.items() if path.suffix == ".png")
    shutil.rmtree(copied_run / "plots")
    (copied_run / "report.html").unlink()
    assert {path: path.read_bytes() for path in Reporter(plots=True, html=True).report(copied_run)} == first
    assert describe_files(copied_run) == manifest


def test_only_what_is_asked_for_is_drawn(copied_run: Path) -> None:
    assert Reporter(plots=False, html=False).report(copied_run) == []
    assert [path.name for path in Reporter(plots=False, html=True).report(copied_run)] == ["report.html"]
    assert not (copied_run / "plots").exists()


def test_run_that_is_about_to_complete_gives_its_summary(copied_run: Path) -> None:
    (copied_run / "summary.json").unlink()
    for name in ("metrics.jsonl", "history.csv", "predictions.jsonl", "scores.csv"):
        (copied_run / name).unlink()
    (page,) = Reporter(plots=False, html=True).report(copied_run, {"f1": 12.34})
    assert ">12.3<" in page.read_text()


def test_run_without_training_draws_what_it_can(copied_run: Path) -> None:
    for name in ("metrics.jsonl", "history.csv", "predictions.jsonl"):
        (copied_run / name).unlink()
    assert [path.name for path in Reporter(plots=True, html=True).report(copied_run)] == ["slices.png", "report.html"]


def test_damaged_file_costs_its_picture_and_nothing_else(copied_run: Path, caplog: pytest.LogCaptureFixture) -> None:
    (copied_run / "scores.csv").write_text("id,f1\na,1\nb\n")
    with caplog.at_level(logging.WARNING, "qaexp"):
        written = Reporter(plots=True, html=True).report(copied_run)
    assert [path.name for path in written] == [f"{name}.png" for name in PICTURES[:-1]] + ["report.html"]
    assert "slices could not be drawn" in caplog.text
    assert "row 3 has 1 cells" in caplog.text


@pytest.mark.parametrize("name", [HOSTILE[0], "".join(HOSTILE)])
def test_hostile_names_are_drawn_as_text(copied_run: Path, name: str) -> None:
    config = json.loads((copied_run / "config.json").read_text())
    (copied_run / "config.json").write_text(json.dumps({**config, "name": name}))
    rows = read_run(copied_run).scores()
    for row, word in zip(rows, HOSTILE * 3, strict=False):
        row["question_word"] = word
    write_rows(copied_run / "scores.csv", rows)
    history = read_run(copied_run).history()
    for row, number in zip(history, range(9), strict=False):
        row |= {f"probe_{probe}": HOSTILE[(probe + number) % len(HOSTILE)] for probe in range(12)}
    write_rows(copied_run / "history.csv", history)
    written = Reporter(plots=True, html=False).report(copied_run)
    assert [path.stem for path in written] == PICTURES


def test_collapsed_run_is_drawn(tmp_path: Path) -> None:
    directory = build_run(tmp_path / "a", num_examples=40, num_epochs=1, num_steps=3, collapsed=True)
    assert [path.stem for path in Reporter(plots=True, html=False).report(directory)] == PICTURES
