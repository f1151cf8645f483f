"""`qaexp plot`: pictures and page again, from the files alone."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures import tiny_run


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
