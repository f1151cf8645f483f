"""A gate judges all that it is given, or nothing: what is not whole, or was measured differently, never passes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, scores, write_run

NUM = 240


def write_side(folder: Path, mean: int, num: int = NUM, **more: object) -> Path:
    """Three seeds of one setting."""
    shutil.rmtree(folder, ignore_errors=True)
    for seed in range(3):
        write_run(folder / f"seed={seed}", scores(seed, mean, num), changes={"seed": seed}, **more)  # type: ignore[arg-type]
    return folder


def stopped(side: Path) -> None:
    (side / "seed=2" / "summary.json").unlink()
    edit(side / "seed=2" / "run.json", state="failed")


def cut(side: Path) -> None:
    path = side / "seed=2" / "scores.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:100]))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "failed": (stopped, "seed=2: not completed (failed)"),
    "damaged": (cut, "seed=2: "),
    "edited": (lambda side: edit(side / "seed=2" / "run.json", summary_sha256="0"), "is not the one that was written"),
    "without the metric": (lambda side: edit(side / "seed=2" / "summary.json", crossfit_f1=None), "has no crossfit_f1"),
    "other questions": (lambda side: write_side(side, 30, NUM - 8), "no verdict: other dev questions"),
    "other golds": (lambda side: write_side(side, 30, golds=[["x"]] * NUM, dev_sha256="x"), "other gold answers"),
    "empty": (lambda side: [shutil.rmtree(run) for run in side.iterdir()], "not a run directory"),
}


@pytest.mark.fault("Q1")
@pytest.mark.parametrize("how", BROKEN)
def test_what_is_not_whole_gets_no_verdict(tmp_path: Path, how: str) -> None:
    change, words = BROKEN[how]
    write_side(tmp_path / "good", 75)
    change(write_side(tmp_path / "bad", 30))
    for new, base in (("good", "bad"), ("bad", "good")):
        done = tiny_run.call(tmp_path, "compare", new, "--against", base, "--fail-if", "worse")
        assert (done.code, done.out) == (8, ""), done
        assert words in done.err
        assert "Traceback" not in done.err
