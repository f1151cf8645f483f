"""Runs that are started again when the world has changed, or when nothing is left to do."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import drill, tiny_run
from tests.fixtures.attempts import KILL, Attempts, at_micro_batch

LATER = ("reporter=plots", "reporter.plots=false")


def edited(group: str, key: str, value: Any) -> Callable[[Path], None]:
    """Change what env.json says of the world that the run was started in."""

    def edit(directory: Path) -> None:
        path = directory / "env.json"
        content = json.loads(path.read_text())
        content[group][key] = value
        path.write_text(json.dumps(content))

    return edit


def unchanged(_: Path) -> None:
    """The run was started in this very world."""


# What was different when the run was started, other words for its next start, and what is said about it.
WORLDS: dict[str, tuple[Callable[[Path], None], tuple[str, ...], str, Any]] = {
    "torch": (edited("versions", "torch", "1.0.0"), (), "versions.torch", "1.0.0"),
    "device": (edited("device", "device", "cuda"), (), "device.device", "cuda"),
    "rate": (unchanged, ("optimizer.lr=0.5",), "optimizer.lr", 3e-4),
    "seed": (unchanged, ("seeds.dropout=7",), "seeds.dropout", 0),
}
NEUTRAL = ("trainer.checkpoint_every=1", "trainer.keep_checkpoints=true", "trackers=tensorboard", "steal_lock=true")


@pytest.fixture
def world(attempts: Attempts) -> Callable[[str], Path]:
    """Copies of a run that was killed in step 5, after it had stored step 4."""
    if not attempts.directory("world").exists():
        assert attempts.run("world", plan=at_micro_batch(1, 3, KILL)).code == -signal.SIGKILL

    def copy(name: str) -> Path:
        return Path(shutil.copytree(attempts.directory("world"), attempts.directory(name)))

    return copy


@pytest.mark.thorough
@pytest.mark.fault("K9")
def test_another_world(attempts: Attempts, world: Callable[[str], Path]) -> None:
    for name, (change, words, key, old) in WORLDS.items():
        directory = world(name)
        change(directory)
        before = tiny_run.snapshot(directory)
        refused = attempts.run(name, *words)
        assert refused.code == 2, refused.said
        for part in (f"{key} was {old!r}, now ", "trainer.allow_drift=true" if change is not unchanged else "name="):
            assert part in refused.last_line
        assert drop_lock(tiny_run.snapshot(directory)) == drop_lock(before), name

        # The table and the page are the same for all, and take longer than the training.
        with_page = name == "torch"
        more = ("trainer.allow_drift=true", *(LATER if with_page else ()))
        done = attempts.run(name, *words, *more, shell=with_page)
        assert done.code == 0, done.said
        (entry,) = tiny_run.read_json(directory / "run.json")["drift"]
        assert (entry["key"], entry["old"], entry["step"]) == (key, old, 4)
        assert f"{key} was {old!r}, now {entry['new']!r}" in refused.last_line
        if with_page:
            sentence = f"{key} was {old!r}, from step 4 on {entry['new']!r}"
            assert f"not bit-exact {sentence}" in " ".join(done.said.split())
            assert "Not bit-exact" in (directory / "report.html").read_text("utf-8")
        assert f"not bit-exact from step 4 on: {key}" in (directory / "train.log").read_text("utf-8")

    directory = world("neutral")
    attempts.finish("neutral", *NEUTRAL, expected=attempts.reference())
    assert tiny_run.read_json(directory / "run.json")["drift"] == []
    assert "bit-exact" not in (directory / "train.log").read_text("utf-8")
    directory = world("log")
    assert attempts.run("log", "trainer.log_every=2").code == 0
    records = ("metrics.jsonl", "history.csv")
    found, expected = drill.fingerprints(directory), attempts.reference()
    assert [name for name in found if found[name] != expected[name]] == [records[0]]
    assert [row["step"] for row in tiny_run.read_lines(directory / records[0])] == [1, 2, 3, 4, 6]

    directory = world("threads")
    attempts.finish("threads", "threads=2", expected=attempts.reference())
    assert tiny_run.read_json(directory / "run.json")["threads"] == 1
    assert "threads=2 has no effect: the run was started with 1" in (directory / "train.log").read_text("utf-8")


def drop_lock(found: dict[str, Any]) -> dict[str, Any]:
    """A snapshot without the file that names who looked last."""
    return {name: entry for name, entry in found.items() if name != ".lock"}


def times(directory: Path) -> dict[str, int]:
    """When each file and folder was changed last, the folder itself among them."""
    return {str(path): path.stat().st_mtime_ns for path in (directory, *directory.rglob("*"))}


@pytest.mark.fault("K10")
def test_a_completed_run(attempts: Attempts) -> None:
    directory = attempts.directory("reference")
    before, others = times(directory), sorted(attempts.folder.rglob("outputs/*"))
    for shell in (False, True):
        ended = attempts.run("reference", shell=shell)
        assert ended.code == 0, ended.said
        assert times(directory) == before
        assert ("dev scores in percent" in ended.said) == shell
    assert sorted(attempts.folder.rglob("outputs/*")) == others
