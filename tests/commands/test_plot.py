"""`qaexp plot`: pictures and page again, from the files alone."""

from __future__ import annotations

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
    monkeypatch.setattr("qaexp.reporting.style.png", lambda figure: b"")


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
