"""Do the rows bite? Each must fail when what it stands for is switched off.

`python -m tests.faults.teeth` runs each row of `SWITCHED_OFF` without its protections, prints what comes of it, and
ends with 1 when fewer than 90 % of the rows fail; `python -m tests.faults.teeth K5 S6` runs these alone. Four minutes.

QAEXP_TEST_UNPROTECTED names the protections that a run of pytest goes without. The tests take them away by patches;
qaexp itself knows nothing of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qaexp.experiment.one_run  # noqa: F401 (what is patched must be imported)
from qaexp import cli
from qaexp.experiment import checkpoints
from qaexp.runs import checkpoint, directory, kept_checkpoints, lock, naming, slurm
from qaexp.runs.writing import drift, reuse
from qaexp.runs.writing import record_files as records
from qaexp.storage import files, folders, points, roots, signals
from qaexp.storage.reading import read_json
from qaexp.training.state import TrainState
from tests import REPOSITORY
from tests.fixtures.patching import Patch, everywhere

VARIABLE = "QAEXP_TEST_UNPROTECTED"
ENOUGH = 0.9


def whole_files(patch: Patch) -> None:
    """Files are written in place."""

    def write_bytes(path: Path, data: bytes) -> None:
        points.reached("open", path)
        with path.open("wb", buffering=0) as file:
            points.reached("write", path)
            file.write(data[: len(data) // 2])
            points.reached("rename", path)
            file.write(data[len(data) // 2 :])
        points.reached("renamed", path)

    everywhere(patch, files.write_bytes, write_bytes)


def whole_folders(patch: Patch) -> None:
    """Folders are filled in place."""

    @contextmanager
    def new_directory(final: Path) -> Iterator[Path]:
        folders.remove(final)
        folders.make_directory(final)
        yield final
        points.reached("rename", final)
        points.reached("renamed", final)

    everywhere(patch, folders.new_directory, new_directory)


def verified_checkpoints(patch: Patch) -> None:
    """Whatever lies in a checkpoint's folder is loaded."""

    def verify(path: Path, **_: Any) -> checkpoint.TrainingCheckpoint:
        manifest = path / "MANIFEST.json"
        about = read_json(manifest) if manifest.exists() else {}
        return checkpoint.TrainingCheckpoint(
            path, int(path.name.split("-")[-1]), about.get("identity", ""), about.get("records", {})
        )

    everywhere(patch, checkpoint.verify_checkpoint, verify)
    patch(kept_checkpoints, "_verify_start", nothing)


def checkpoints_are_put_back(patch: Patch) -> None:
    """What has a temporary name is lost, whole or not."""
    everywhere(patch, kept_checkpoints.put_back, nothing)


def records_are_cut_back(patch: Patch) -> None:
    """What was recorded after the checkpoint stays."""
    patch(records, "truncate", lambda path, _: points.reached("truncate", path))
    patch(records, "write_json_lines", nothing)


def optimizer_is_restored(patch: Patch) -> None:
    """A resumed training begins with fresh running means."""
    original = TrainState.load_state_dict

    def load(self: TrainState, state: Any) -> None:
        original(self, {**state, "optimizer": self.optimizer.state_dict()})

    patch(TrainState, "load_state_dict", load)


def place_is_restored(patch: Patch) -> None:
    """A resumed training reads its epoch from the beginning."""
    original = TrainState.set_counters

    def set_counters(self: TrainState, counters: Any) -> None:
        original(self, {**counters, "micro_step": 0})

    patch(TrainState, "set_counters", set_counters)


def stopped_is_stored(patch: Patch) -> None:
    """A signal ends the training as it stands, with what was stored before."""

    patch(checkpoints.Checkpoints, "__exit__", nothing)


def signals_wait(patch: Patch) -> None:
    """A signal is raised wherever it comes, inside a step and inside a file too."""

    @contextmanager
    def deferred() -> Iterator[None]:
        yield

    everywhere(patch, signals.deferred, deferred)


def half_a_step_is_dropped(patch: Patch) -> None:
    """What a second Ctrl-C interrupts is stored."""
    original = signals.Stopped.__init__

    def init(self: signals.Stopped, number: Any, **_: Any) -> None:
        original(self, number)

    patch(signals.Stopped, "__init__", init)


def second_signal_is_ignored(patch: Patch) -> None:
    """The second SIGTERM ends the process."""
    note = signals._note

    def once(number: int, frame: Any) -> None:
        signals.signal.signal(number, signals.signal.SIG_DFL)
        note(number, frame)

    patch(signals, "_note", once)


def job_is_requeued(patch: Patch) -> None:
    """Slurm is asked by every process that any signal ends."""
    patch(slurm, "_ASKS_FOR_ROOM", signals.SIGNALS)


def name_of_a_job(patch: Patch) -> None:
    """A job that comes again gets a name of its own."""
    patch(naming, "job_id", nothing)


def changes_are_refused(patch: Patch) -> None:
    """A training goes on in whatever world it finds."""
    patch(drift, "_PACKAGES", ())
    patch(drift, "_DEVICE_KEYS", ())


def completed_is_left_alone(patch: Patch) -> None:
    """A completed run is not looked for."""
    everywhere(patch, reuse.completed_summary, nothing)
    patch(reuse, "SUMMARY", "no-such-file")


def locked(patch: Patch) -> None:
    """Nobody looks who works in a directory."""

    @contextmanager
    def hold(*_: Any, **__: Any) -> Iterator[None]:
        yield

    everywhere(patch, lock.hold, hold)


def heartbeat_counts(patch: Patch) -> None:
    """Nobody looks whether another machine works in a directory."""
    everywhere(patch, lock.check_heartbeat, nothing)


def names_are_claimed(patch: Patch) -> None:
    """A name is as good as its digits."""
    patch(naming, "_is_ours", lambda _: True)


def token_is_asked_for(patch: Patch) -> None:
    """An owner that wakes up writes on."""
    patch(lock, "_check_token", nothing)


def names_are_synced(patch: Patch) -> None:
    """Nothing is waited for."""
    everywhere(patch, roots.sync, nothing)


def links_are_named(patch: Patch) -> None:
    """Nobody looks for links."""
    everywhere(patch, directory.link_problems, lambda _: [])


def handles_follow_no_link(patch: Patch) -> None:
    """A link is as good as the folder that it means."""
    patch(os, "O_NOFOLLOW", 0)


SWITCHED_OFF = {
    "K1": ("records_are_cut_back", "whole_files"),
    "K2": ("whole_folders+verified_checkpoints", "checkpoints_are_put_back"),
    "K3": ("place_is_restored", "optimizer_is_restored"),
    "K4": ("optimizer_is_restored",),
    "K5": ("stopped_is_stored", "signals_wait"),
    "K6": ("second_signal_is_ignored",),
    "K7": ("half_a_step_is_dropped",),
    "K8": ("job_is_requeued", "name_of_a_job"),
    "K9": ("changes_are_refused",),
    "K10": ("completed_is_left_alone",),
    "S6": ("locked",),
    "S7": ("heartbeat_counts",),
    "S9": ("names_are_claimed",),
    "L1": ("token_is_asked_for",),
    "P1": ("names_are_synced",),
    "O1": ("links_are_named+handles_follow_no_link",),
}
"""For each row the protections that it stands for, each a function above; it must fail without any one of them.

Those that stand in for each other are joined by a plus: the row must fail without both.
"""


def nothing(*_: Any, **__: Any) -> None:
    """Stands in the place of what is switched off."""


def switch_off(patch: Patch) -> None:
    """Take away the protections that the environment names."""
    for name in filter(None, os.environ.get(VARIABLE, "").split("+")):
        globals()[name](patch)


def program() -> list[str]:
    """The words after `python` that start qaexp in a process of its own, without what the environment names."""
    return ["-m", "tests.faults.teeth", "--run"] if os.environ.get(VARIABLE) else ["-m", "qaexp"]


def outcome(row: str, protections: str) -> tuple[str, str]:
    """Run a row without some protections: what the table of the rows says of it, and why."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/faults", "--fault", row]
    environ = {**os.environ, VARIABLE: protections}
    said = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^{row} +(survived|NOT SURVIVED|not tried)", said, re.MULTILINE)
    reason = re.search(r"^E +(.+)$", said, re.MULTILINE)
    return found[1] if found else "no such row", reason[1] if reason else ""


def main(words: list[str]) -> int:
    """Run rows without their protections; 0 when enough of them fail."""
    if words[:1] == ["--run"]:
        switch_off(setattr)
        return cli.main(words[1:])
    rows = words or list(SWITCHED_OFF)
    num_bite = 0
    for row in rows:
        outcomes = []
        for protections in SWITCHED_OFF[row]:
            word, reason = outcome(row, protections)
            outcomes.append(word)
            print(f"{row:<4} {word:<13} without {protections:<40} {reason[:80]}", flush=True)
        num_bite += set(outcomes) == {"NOT SURVIVED"}
    print(f"{num_bite} of {len(rows)} rows fail without their protections")
    return int(num_bite < ENOUGH * len(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
