"""Links inside a run directory, whoever put them there: nothing is written behind them, nothing read is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs import directory as layout
from qaexp.runs.readers.verification import verify_run
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import THOROUGH

WORDS = (*tiny_run.DEMO, "threads=1", "trainer.epochs=1", "trainer.checkpoint_every=2", "trainer.keep_checkpoints=true")
SECRET = "what-stands-behind-the-link"
FILES = (
    layout.CONFIG, layout.RUN, layout.ENVIRONMENT, layout.DATA, layout.METRICS, layout.TIMINGS, layout.HISTORY,
    layout.PREDICTIONS, layout.CONTEXTS, layout.SCORES, layout.LOGITS, layout.REPORT, layout.DIVERGED,
    layout.TRAIN_LOG, layout.DEBUG_LOG, layout.OUTPUT_LOG, layout.SUMMARY, layout.MANIFEST, layout.LOCK,
)  # fmt: skip
NAMES = (*layout.FOLDERS, *(FILES if THOROUGH else (layout.RUN, layout.METRICS, layout.TRAIN_LOG, layout.LOCK)))
CHEAP = (("verify",), ("status",), ("compare",), ("rescore",), ("resume",))
SLOW = (("plot",), ("answer", "-q", "Who?", "-c", "Anna"), ("reproduce",))
DRAWN_FROM = (layout.METRICS, layout.HISTORY, layout.PREDICTIONS, layout.REPORT, layout.CONFIG)


def kept_and_stopped(folder: Path) -> tuple[Path, Path]:
    """A completed run, and one that was killed at its end."""
    return tiny_run.train(folder, "completed", *WORDS), drill.stopped_run(folder, "stopped", *WORDS)


def mine(folder: Path, run: Path) -> Path:
    """Somebody's own folder, which has a file of every name that a run writes, and a copy of all that a run has."""
    place = folder / "mine"
    shutil.copytree(run, place / "copied")
    for name in ("loss.png", "config.yaml", "hydra.yaml", "overrides.yaml", "trace.json", "steps.txt", "qaexp.json"):
        (place / name).write_text(f"{name}: {SECRET}\n")
    for name in FILES:
        (place / name).write_text(f'{{"{SECRET}": 1}}\n')
    (place / "step-0000003").mkdir()
    return place


def state_of(place: Path) -> dict[str, Any]:
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))
    return {"names": names, "files": tiny_run.snapshot(place)}


@pytest.mark.thorough
@pytest.mark.fault("O1")
@pytest.mark.case("plots_that_is_a_link")
def test_nothing_outside(tmp_path: Path) -> None:
    completed, stopped = kept_and_stopped(tmp_path)
    place = mine(tmp_path, completed)
    before, num_tried = state_of(place), 0
    for original in (completed, stopped):
        for name in NAMES:
            targets = [place] if name in FILES else [place, place / "copied" / name]
            for target in targets:
                run = tmp_path / "outputs" / "tried"
                shutil.copytree(original, run)
                linked(run / name, target / name if name in FILES else target)
                is_slow = (
                    name in layout.FOLDERS and target == place and (THOROUGH or name in (layout.PLOTS, layout.MODEL))
                )
                for command, *more in (
                    *CHEAP,
                    *(SLOW if is_slow else SLOW[:1] if name in DRAWN_FROM and THOROUGH else ()),
                ):
                    done = tiny_run.call(tmp_path, command, str(run), *more)
                    num_tried += 1
                    context = (original.name, name, command, done.code, done.err[-300:])
                    assert done.code in (0, 2, 4, 5, 8), context
                    assert SECRET not in done.out + done.err, context
                    assert "Traceback" not in done.err, context
                    assert state_of(place) == before, context
                for folder in tmp_path.glob("outputs/tried*"):
                    shutil.rmtree(folder)
    assert num_tried > (200 if THOROUGH else 100)


def linked(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.fault("O2")
def test_a_folder_that_is_a_link_is_named(tmp_path: Path) -> None:
    completed, stopped = kept_and_stopped(tmp_path)
    for name in layout.FOLDERS:
        shutil.rmtree(completed / name, ignore_errors=True)
        (completed / name).symlink_to(tmp_path)
    found = verify_run(completed)
    for name in layout.FOLDERS:
        assert f"{completed / name}: is a link, which is not followed; remove it" in found.problems
    for name, command in (("plots", "plot"), ("model", "answer")):
        more = () if command == "plot" else ("-q", "Who?", "-c", "Anna")
        done = tiny_run.call(tmp_path, command, str(completed), *more)
        assert done.code == 8
        assert f"{name} is a link, which is not followed" in done.err.replace(f"{name}: is", f"{name} is")
    (stopped / ".hydra").rename(tmp_path / "hydra")
    (stopped / ".hydra").symlink_to(tmp_path / "hydra")
    done = tiny_run.call(tmp_path, "train", "name=stopped", *WORDS)
    assert done.code == 8
    assert ".hydra: is a link, which is not followed; remove it" in done.last_line
    # What is moved while a run works in it is not made anew under its old name.
    (stopped / ".hydra").unlink()

    def moved() -> int:
        def move(name: str, path: Path) -> None:
            if (name, path.name) == ("open", "predictions.jsonl"):
                stopped.rename(tmp_path / "outputs" / "moved")

        drill.planted(move)
        done = tiny_run.call(tmp_path, "train", "name=stopped", *WORDS)
        (tmp_path / "said").write_text(done.err)
        return done.code

    assert drill.in_child(moved) == 5
    assert "was moved or deleted while this process works in it" in (tmp_path / "said").read_text()
    assert not stopped.exists()
    assert drill.state(tmp_path / "outputs" / "moved") == "failed"
    assert tiny_run.call(tmp_path, "resume", "outputs/moved").code == 0
    assert drill.fingerprints(tmp_path / "outputs" / "moved")
