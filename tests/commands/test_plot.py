"""`qaexp plot`: pictures and page again, from the files alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qaexp.reporting.reporter import Reporter
from tests.fixtures import fake_run, tiny_run


def test_pictures_and_page_are_drawn_again(tmp_path: Path) -> None:
    run = tiny_run.train(tmp_path, "one", *tiny_run.DEMO)
    before = tiny_run.snapshot(run)
    assert not (run / "report.html").exists()
    done = tiny_run.call(tmp_path, "plot", "outputs/one")
    assert done.code == 0, done.err
    after = tiny_run.snapshot(run)
    assert {name: entry for name, entry in after.items() if name in before} == before
    assert {str(Path("outputs/one", name)) for name in set(after) - set(before)} == set(done.out.splitlines())
    assert "plots/loss.png" in after


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    failed = tiny_run.call(tmp_path, "plot", "nowhere")
    assert failed.code == 2
    assert "not a run directory" in failed.last_line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds a run; here it counts which runs are drawn."""
    monkeypatch.setattr(Reporter, "redraw", lambda self, directory: ([directory / "report.html"], []))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a sweep of two, and a damaged one."""
    place = tmp_path_factory.mktemp("several")
    for name in ("outputs/one", "multirun_outputs/grid/seed=0", "multirun_outputs/grid/seed=1"):
        fake_run.build(place / name, num_examples=8, num_steps=6, num_epochs=1)
    (place / "multirun_outputs" / "grid" / "report_figures").mkdir()
    (place / "outputs" / "broken").mkdir()
    (place / "outputs" / "broken" / "run.json").write_text("{")
    return place


@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["multirun_outputs/grid"], ["seed=0", "seed=1"]),
        (["multirun_outputs"], ["seed=0", "seed=1"]),
        (["outputs", "multirun_outputs", "outputs/one", "./outputs"], ["one", "seed=0", "seed=1"]),
    ],
)
def test_folders_of_runs_and_sweeps_are_drawn_once_each(several: Path, given: list[str], names: list[str]) -> None:
    done = tiny_run.call(several, "plot", *given)
    assert done.code == 0, done.err
    pages = [Path(line).parent.name for line in done.out.splitlines() if line.endswith("report.html")]
    assert pages == names
    assert ("outputs/broken: skipped: damaged" in done.err) == ("outputs" in given)
    assert "report_figures" not in done.err


def test_a_damaged_run_that_is_named_is_refused_before_anything_is_drawn(several: Path) -> None:
    failed = tiny_run.call(several, "plot", "outputs/one", "outputs/broken")
    assert (failed.code, failed.out) == (8, "")


def test_a_folder_without_runs_is_refused(several: Path) -> None:
    (several / "empty").mkdir()
    failed = tiny_run.call(several, "plot", "empty")
    assert (failed.code, failed.last_line) == (2, "qaexp plot: empty: holds no run to draw")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    place = tmp_path_factory.mktemp("drawn")
    fake_run.build(place / "outputs" / "one", num_examples=8, num_steps=6, num_epochs=1)
    return place


@pytest.fixture
def _one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture costs a moment; what reads the file of each is kept, and no figure is made a picture."""
    monkeypatch.setattr("qaexp.reporting.figures.style.png", lambda figure: b"")


@pytest.mark.usefixtures("_one_picture")
@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("history.csv", None, {"report.html", "plots/loss.png", "plots/scores.png"}),
        ("history.csv", b"\xff\xfe", {"report.html", "plots/loss.png", "plots/scores.png"}),
        ("predictions.jsonl", None, {"report.html", "plots/threshold.png", "plots/calibration.png"}),
        ("predictions.jsonl", b'{"id": "a"}\n', {"report.html", "plots/threshold.png", "plots/calibration.png"}),
        ("predictions.jsonl", b"{\n", set()),
        ("metrics.jsonl", b"no\nno\n", set()),
        ("scores.csv", None, {"plots/slices.png"}),
        ("contexts.json", b"{", {"report.html"}),
    ],
)
def test_a_file_that_cannot_be_drawn_is_told_with_exit_code_8(
    drawn: Path, name: str, content: bytes | None, missing: set[str]
) -> None:
    file = drawn / "outputs" / "one" / name
    before = file.read_bytes()
    file.unlink()
    file.write_bytes(content) if content is not None else file.mkdir()
    try:
        # Below a folder, too: there is no other run that is drawn as a whole.
        failed = tiny_run.call(drawn, "plot", "outputs/one" if content is None else "outputs")
    finally:
        file.unlink() if content is not None else file.rmdir()
        file.write_bytes(before)
    assert (failed.code, "tries again" in failed.err) == (8, False)
    assert name in failed.err or "(the files hold no 'golds')" in failed.err
    names = {line.removeprefix("outputs/one/") for line in failed.out.splitlines()}
    assert names
    assert not names & missing


@pytest.mark.usefixtures("_one_picture")
def test_a_damaged_file_below_a_folder_is_told_and_spoils_no_other_run(several: Path) -> None:
    (several / "multirun_outputs" / "grid" / "seed=0" / "history.csv").write_bytes(b"\xff")
    done = tiny_run.call(several, "plot", "multirun_outputs")
    assert done.code == 0
    assert "seed=0: loss could not be drawn (" in done.err
    assert "seed=1/report.html" in done.out
    named = tiny_run.call(several, "plot", "multirun_outputs", "multirun_outputs/grid/seed=0")
    assert named.code == 8


@pytest.fixture
def cut(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be spoilt."""
    return Path(shutil.copytree(drawn / "outputs" / "one", tmp_path / "one", ignore=shutil.ignore_patterns("plots")))


def _half(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[: len(lines) // 2])


@pytest.mark.usefixtures("_one_picture")
@pytest.mark.parametrize("is_vouched_for", [True, False])
@pytest.mark.parametrize(
    ("name", "spoil", "told"),
    [
        ("predictions.jsonl", _half, "predictions.jsonl: has 4 questions, and the run was scored on 8"),
        ("predictions.jsonl", lambda text: "", "predictions.jsonl: has 0 questions, and the run was scored on 8"),
        ("scores.csv", _half, "scores.csv: has 3 questions, and the run was scored on 8"),
        ("history.csv", lambda text: "", "history.csv: has no row, and the run was trained and evaluated"),
        ("history.csv", lambda text: text.splitlines()[0] + "\n", "history.csv: has no row"),
        ("history.csv", lambda text: text.replace("\n1,", "\nnan,"), "history.csv: row 1 has no number for epoch"),
        ("history.csv", lambda text: text.replace("epoch,step", "epoch,nanstep"), "no number for step"),
    ],
)
def test_a_table_that_is_cut_or_spoilt_is_told(
    cut: Path, name: str, spoil: Callable[[str], str], told: str, is_vouched_for: bool
) -> None:
    (cut / name).write_text(spoil((cut / name).read_text()))
    if not is_vouched_for:
        (cut / "MANIFEST.json").unlink()
    failed = tiny_run.call(cut.parent, "plot", "one")
    assert failed.code == 8
    assert told in failed.err
    assert sum(line.startswith(f"qaexp plot: one: {name}") for line in failed.err.splitlines()) == 1


@pytest.mark.usefixtures("_one_picture")
@pytest.mark.parametrize("name", ["predictions.jsonl", "metrics.jsonl", "history.csv", "scores.csv", "contexts.json"])
def test_other_bytes_than_the_run_wrote_are_told(cut: Path, name: str) -> None:
    text = (cut / name).read_text()
    (cut / name).write_text(re.sub(r"\d(?=\D*$)", lambda digit: str(9 - int(digit[0])), text))
    failed = tiny_run.call(cut.parent, "plot", "one")
    assert failed.code == 8
    assert f"one: {name}: is not what the run wrote (its sha256 differs)" in failed.err


@pytest.mark.usefixtures("_one_picture")
def test_a_changed_summary_is_drawn_and_told(cut: Path) -> None:
    summary = tiny_run.read_json(cut / "summary.json")
    (cut / "summary.json").write_text(json.dumps({**summary, "f1": 99.0, "train_seconds": 1e308, "num_steps": 10**30}))
    done = tiny_run.call(cut.parent, "plot", "one")
    assert done.code == 0
    assert "qaexp plot: one: summary.json: its bytes are not what was written" in done.err
    page = (cut / "report.html").read_text()
    assert "1e+308 s" in page
    assert not re.search(r"(\d,?){100}", re.sub(r"base64,[^\"]*", "", page))
