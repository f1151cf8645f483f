"""`qaexp best`: one line on stdout, and nothing is called the best that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import tiny_run
from tests.fixtures.compared import edit, scores, write_grid, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("best")
    write_grid(path / "sweep", levels={1e-4: 50, 1e-3: 75}, seeds=2, num=48)
    for place, run in enumerate(sorted((path / "sweep").iterdir())):
        edit(run / "summary.json", train_seconds=10.0 + place)
    return path


def test_one_line_is_printed_that_a_script_can_use(folder: Path) -> None:
    done = tiny_run.call(folder, "best", "sweep", "--metric", "f1")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    assert done.out.startswith("sweep/lr=0.001,seed=")
    assert (folder / done.out.strip()).is_dir()


def test_of_seconds_the_least_is_best_and_conditions_hold(folder: Path) -> None:
    assert tiny_run.call(folder, "best", "sweep", "--metric", "train_seconds").out == "sweep/lr=0.0001,seed=0\n"
    words = ("best", "sweep", "--metric", "train_seconds", "--where", "lr=1e-3")
    assert tiny_run.call(folder, *words).out == "sweep/lr=0.001,seed=0\n"


def test_ties_are_told_and_the_run_that_was_started_first_is_taken(tmp_path: Path) -> None:
    for name, started in (("a", "2026-01-02"), ("b", "2026-01-01")):
        run = write_run(
            tmp_path / name, scores(0, 50, 48), changes={"optimizer.lr": len(name + started), "seed": ord(name)}
        )
        edit(run / "run.json", started=started)
        edit(run / "summary.json", train_loss=float(ord(name)))
    done = tiny_run.call(tmp_path, "best", ".")
    assert done.out == "b\n"
    assert "1 more run with the same crossfit_f1: the one that was started first" in done.err


def test_a_run_that_answers_nothing_is_never_the_best(tmp_path: Path) -> None:
    flags = [{"name": "null_collapse", "step": 1, "advice": "x"}]
    write_run(tmp_path / "silent", np.full(48, 100.0), changes={"optimizer.lr": 1.0}, flags=flags)
    alone = tiny_run.call(tmp_path, "best", ".")
    assert (alone.code, alone.out) == (2, "")
    assert "none of the 1 run answers" in alone.err
    write_run(tmp_path / "answers", scores(0, 30, 48))
    done = tiny_run.call(tmp_path, "best", ".")
    assert done.out == "answers\n"
    assert (
        "1 run passed over: one that answers nothing at threshold 0 or at its tuned one is never the best" in done.err
    )


def test_runs_on_other_questions_have_no_best_one(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(0, 50, 48))
    write_run(tmp_path / "b", scores(0, 50, 40), changes={"data.dev_size": 40})
    done = tiny_run.call(tmp_path, "best", ".")
    assert (done.code, done.out) == (2, "")
    assert "other dev questions" in done.err
    assert "none is the best" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("empty",), "no completed run"),
        (("nowhere",), "nothing there"),
        (("sweep", "--metric", "null_threshold"), "null"),
        (("sweep", "--metric", "kept_epoch"), "neither high nor low"),
        (("sweep", "--metric", "crossfit_f"), "did you mean crossfit_f1?"),
        (("sweep", "--where", "lr>1"), "none of the 4 runs meets this"),
        ((), "PATH"),
    ],
)
def test_what_has_no_best_run_is_refused_with_nothing_on_stdout(
    folder: Path, words: tuple[str, ...], says: str
) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    done = tiny_run.call(folder, "best", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.last_line
