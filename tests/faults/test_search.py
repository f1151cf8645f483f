"""Fault W8: a search whose jobs die, whose process is killed, and whose storage is torn or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Commands
from tests.faults.test_sweeps import start, wait_until
from tests.fixtures import planted, tiny_run

WORDS = (
    "sweep=optuna",
    *tiny_run.MODEL,
    *planted.WORDS,
    "data.train_size=12",
    "data.dev_size=8",
    "trainer.epochs=2",
    "threads=1",
    "seed=0",
    "optimizer.lr=tag(log,interval(1e-4,1e-2))",
    "hydra.sweeper.num_trials=4",
)


def trials(sweep: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((sweep / "sweep.json").read_text("utf-8"))["trials"]
    return found


def search(folder: Path, name: str, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", f"name={name}", *WORDS, *words)


@pytest.mark.thorough
@pytest.mark.fault("W8")
def test_a_search_that_is_killed_or_damaged_goes_on(qaexp: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setenv("QAEXP_ALLOW_TARGETS", planted.ALLOW)
    assert search(qaexp.folder, "alone").code == 0
    alone = trials(qaexp.folder / "multirun_outputs" / "alone")
    # The process is killed in its second trial: that one is marked as failed and made again; the total stays.
    sweep = qaexp.folder / "multirun_outputs" / "killed"
    process = start(qaexp.folder, "killed", *WORDS)
    wait_until(lambda: len(list(sweep.glob("*/run.json"))) >= 2)
    process.kill()
    process.communicate()
    wait_until(lambda: (done := search(qaexp.folder, "killed")).code != 4 or not done)
    found = trials(sweep)
    assert [trial["state"] for trial in found].count("complete") == 4
    assert [trial["params"] for trial in found if trial["state"] == "complete"][:2] == [
        one["params"] for one in alone[:2]
    ]
    assert len(list(sweep.glob("*/summary.json"))) == 4
    # A torn last line is dropped; a damaged line is refused with a copy, and the runs stay.
    journal = sweep / "optuna.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":')
    assert search(qaexp.folder, "killed").code == 0
    journal.write_bytes(whole.replace(b'"op_code"', b"op_code", 3))
    damaged = search(qaexp.folder, "killed")
    assert (damaged.code, "optuna.journal.damaged" in damaged.last_line) == (8, True), damaged.err
    assert (sweep / "optuna.journal.damaged").read_bytes() == journal.read_bytes()
    status = tiny_run.call(qaexp.folder, "status", str(sweep), "--json")
    assert [run["state"] for run in json.loads(status.out)["runs"]] == ["completed"] * 4
    # Jobs that die fail their trials; when nothing works the search ends.
    (qaexp.folder / planted.SWITCH).touch()
    dead = search(qaexp.folder, "dead", "+optimizer.how=kill", "hydra.sweeper.num_trials=9")
    assert (dead.code, "5 trials in a row failed" in dead.last_line) == (10, True), dead.err
    assert {trial["state"] for trial in trials(qaexp.folder / "multirun_outputs" / "dead")} == {"fail"}
