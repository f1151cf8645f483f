"""Faults W12 and W13: a race that is killed, whose record is damaged, and one of whose runs is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Commands
from tests.faults.test_sweeps import start, wait_until
from tests.fixtures import tiny_run

WORDS = (
    "sweep=race",
    *tiny_run.MODEL,
    "data.subset=answerable",
    "decoding=squad_v1",
    "data.train_size=12",
    "data.dev_size=16",
    "trainer.epochs=1",
    "threads=1",
    "optimizer.lr=1e-3,3e-3",
    "seed=range(4)",
    "hydra.sweeper.relevant=1e-9",
)


def race(folder: Path, name: str, *words: str) -> tiny_run.Called:
    return tiny_run.call(folder, "train", f"name={name}", *WORDS, *words)


def record(sweep: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sweep / "race.json").read_text("utf-8"))
    return found


def decisions(sweep: Path) -> list[dict[str, Any]]:
    return without_cost(record(sweep)["rounds"])


def without_cost(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was decided, without what depends on the clock."""
    return [{key: one for key, one in made.items() if key != "spent"} for made in rounds]


@pytest.mark.thorough
@pytest.mark.fault("W12")
def test_a_race_that_is_killed_ends_with_the_decisions_of_an_undisturbed_one(qaexp: Commands) -> None:
    assert race(qaexp.folder, "alone").code == 0
    alone, sweep = (qaexp.folder / "multirun_outputs" / name for name in ("alone", "killed"))
    process = start(qaexp.folder, "killed", *WORDS)
    wait_until(lambda: len(list(sweep.glob("*/run.json"))) >= 4)
    process.kill()
    process.communicate()
    wait_until(lambda: (done := race(qaexp.folder, "killed")).code != 4 or not done)
    assert decisions(sweep) == decisions(alone)
    assert record(sweep)["spent"]["runs"] == len(list(sweep.glob("*/summary.json"))) == 8
    # The kill came after all runs and before the record: it is derived, and no run is begun again.
    (sweep / "race.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("*/summary.json")}
    assert tiny_run.call(qaexp.folder, "resume", str(sweep)).code == 0
    assert decisions(sweep) == decisions(alone)
    assert {path: path.stat().st_mtime_ns for path in sweep.glob("*/summary.json")} == before


@pytest.mark.thorough
@pytest.mark.fault("W13")
def test_a_damaged_race_is_derived_from_its_runs_and_a_damaged_run_decides_nothing(qaexp: Commands) -> None:
    assert race(qaexp.folder, "r").code == 0
    sweep = qaexp.folder / "multirun_outputs" / "r"
    whole = (sweep / "race.json").read_bytes()
    edited = whole.replace(b'"decision": "open"', b'"decision": "dropped"')
    for damage in (whole[: len(whole) // 2], b"\0" * 100, b"[]", edited):
        (sweep / "race.json").write_bytes(damage)
        status = tiny_run.call(qaexp.folder, "status", str(sweep))
        assert (status.code, status.err) == (0, "")
        assert race(qaexp.folder, "r").code == 0
        assert (sweep / "race.json").read_bytes() == whole
    scores = sorted(sweep.glob("*/scores.csv"))[0]
    kept = scores.read_bytes()
    scores.write_bytes(b"\n".join(kept.split(b"\n")[:5]) + b"\n")
    damaged = race(qaexp.folder, "r")
    assert (damaged.code, str(scores.parent.name) in damaged.last_line) == (8, True), damaged.err
    assert "move the run away, and the same command trains it again" in damaged.last_line
    assert (sweep / "race.json").read_bytes() == whole
    scores.parent.rename(qaexp.folder / "away")
    assert race(qaexp.folder, "r").code == 0
    assert decisions(sweep) == without_cost(json.loads(whole)["rounds"])
