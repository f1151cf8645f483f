"""The power fails: what was committed is on the disk then, names included, and a later start ends the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qaexp.runs.kept_checkpoints import newest_checkpoint
from qaexp.runs.readers.verification import verify_run
from qaexp.runs.writing.run import Run
from qaexp.storage import appender, files, folders
from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import THOROUGH
from tests.fixtures.patching import everywhere
from tests.fixtures.power import Disk

WORDS = (*tiny_run.DEMO, "threads=1", "trainer.epochs=2", "trainer.checkpoint_every=3", "trainer.profile_steps=1")
EVERY = 5 if THOROUGH else 40
"""How many calls of fsync stand between two cuts that are followed by a new start."""


class Commits:
    """Holds each commit of a run, when its call comes back, against what is certain on the disk."""

    def __init__(self, top: Path, disk: Disk) -> None:
        self.top, self.disk, self.lost = top, disk, list[str]()
        self.num_seen = 0

    def watch(self) -> None:
        """Look behind every function that commits."""
        self._behind(files.write_bytes, lambda path, data: self.disk.content(*self._parts(path)) == data)
        self._behind(folders.make_directory, lambda path: self.disk.has_folder(*self._parts(path)))
        self._behind(folders.settle_directory, lambda path: self.disk.has_folder(*self._parts(path)))
        self._behind(folders.commit_directory, lambda _, final: self._is_whole(final))
        self._behind(appender.append_descriptor, lambda path: self.disk.content(*self._parts(path)) is not None)
        store, complete = Run.store, Run.complete

        def stored(run: Run, step: int, *args: Any, **keywords: Any) -> None:
            store(run, step, *args, **keywords)
            self._hold(f"step {step}", self._newest(run.directory) == step)

        def completed(run: Run, *args: Any, **keywords: Any) -> Any:
            result = complete(run, *args, **keywords)
            self._hold("completed", self._is_verified(run.directory))
            return result

        Run.store, Run.complete = stored, completed  # type: ignore[method-assign,assignment]

    def _behind(self, original: Callable[..., Any], is_certain: Callable[..., bool]) -> None:
        def watched(*args: Any, **keywords: Any) -> Any:
            result = original(*args, **keywords)
            # Hydra makes the run directory itself; that one counts when it is settled.
            is_inner = Path(args[0]).is_relative_to(self.top / "outputs" / "cut") and Path(args[0]).name != "cut"
            if is_inner or original.__name__ != "make_directory":
                self._hold(f"{original.__name__} {args[0]}", is_certain(*args))
            return result

        everywhere(setattr, original, watched)

    def _hold(self, what: str, is_certain: bool) -> None:
        self.num_seen += 1
        if not is_certain:
            self.lost.append(what)

    def _parts(self, path: Path) -> tuple[str, ...]:
        return (*path.parent.resolve().relative_to(self.top).parts, path.name)

    def _is_whole(self, folder: Path) -> bool:
        inner = [path for path in folder.rglob("*") if path.is_file()]
        return all(self.disk.content(*self._parts(path)) == path.read_bytes() for path in inner)

    def _after_the_cut(self, directory: Path) -> Path:
        shutil.rmtree(self.top.parent / "after", ignore_errors=True)
        self.disk.write_to(self.top.parent / "after")
        return self.top.parent / "after" / directory.relative_to(self.top)

    def _newest(self, directory: Path) -> int | None:
        checkpoint, problems = newest_checkpoint(self._after_the_cut(directory), None)
        return None if checkpoint is None or problems else checkpoint.step

    def _is_verified(self, directory: Path) -> bool:
        found = verify_run(self._after_the_cut(directory))
        return found.state == "completed" and not found.problems


@pytest.mark.thorough
@pytest.mark.fault("P1")
def test_power_cuts(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()

    def work() -> int:
        disk = Disk(top)
        commits = Commits(top, disk)

        def cut() -> None:
            if disk.num_syncs % EVERY == 0:
                disk.write_to(tmp_path / f"cut-{disk.num_syncs:04d}")

        disk.plug_in(cut)
        commits.watch()
        done = tiny_run.call(top, "train", "name=cut", *WORDS)
        (tmp_path / "lost").write_text("\n".join([str(commits.num_seen), *commits.lost]))
        print(done.err)
        return done.code

    assert drill.in_child(work) == 0
    num_commits, *lost = (tmp_path / "lost").read_text().splitlines()
    assert lost == []
    assert int(num_commits) > 40
    expected = drill.fingerprints(top / "outputs" / "cut")
    cuts = sorted(tmp_path.glob("cut-*"))
    assert len(cuts) >= 3
    for cut in cuts:
        assert drill.in_child(lambda cut=cut: tiny_run.call(cut, "train", "name=cut", *WORDS).code) == 0, cut
        assert drill.fingerprints(cut / "outputs" / "cut") == expected, cut
        assert verify_run(cut / "outputs" / "cut").problems == [], cut
