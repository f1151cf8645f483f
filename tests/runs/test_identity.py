"""The identity is stable, blind to neutral keys, and sees everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qaexp.config.schema import neutral_keys
from qaexp.nodes import with_former, with_public
from qaexp.runs.identity import canonical_json, code_hash, code_hash_of, identify
from qaexp.runs.readers.collect import read_run
from tests import REPOSITORY
from tests.fixtures.tiny_run import read_json

CONFIG: dict[str, Any] = {
    "name": "a",
    "seed": 2,
    "trainer": {"epochs": 2, "log_every": 10, "max_grad_norm": 1.0},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 3e-4},
    "probes": [{"question": "é?", "context": "x"}],
    "trackers": {"tensorboard": {"folder": "x"}},
}
NEUTRAL = {"name", "trainer.log_every", "trackers"}
DATA = {"kind": "demo", "version": 1}
WEIGHTS = {"sha256": "ab"}
GOLDEN = "15a7f2dd9209ca8f752723c40c2be01e45fda0dbaa1521f5d7b1bd939af5e5de"


def test_golden_hash() -> None:
    """Fails when the hash of an unchanged run changes: every stored run would then count as another one."""
    assert identify(CONFIG, NEUTRAL, DATA, WEIGHTS).sha256 == GOLDEN


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"trainer": {**CONFIG["trainer"], "log_every": 1}},
        {"trackers": {}},
        {"trainer": {"max_grad_norm": 1, "epochs": 2}},
    ],
)
def test_neutral_changes_keep_the_identity(change: dict[str, Any]) -> None:
    assert identify({**CONFIG, **change}, NEUTRAL, DATA, WEIGHTS).sha256 == GOLDEN


@pytest.mark.parametrize("change", [{"seed": 3}, {"optimizer": {"lr": 3.0000000000000003e-4}}, {"extra": None}])
def test_other_changes_change_it(change: dict[str, Any]) -> None:
    assert identify({**CONFIG, **change}, NEUTRAL, DATA, WEIGHTS).sha256 != GOLDEN


def test_data_and_weights_count() -> None:
    assert identify(CONFIG, NEUTRAL, {**DATA, "version": 2}, WEIGHTS).sha256 != GOLDEN
    assert identify(CONFIG, NEUTRAL, DATA, {"sha256": "ac"}).sha256 != GOLDEN


def test_changes_names_old_and_new_values() -> None:
    stored = {**CONFIG, "name": "z", "seed": 1, "gone": True}
    identity = identify(CONFIG, NEUTRAL, DATA, WEIGHTS)
    changes = identity.changes(stored, {**identity.inputs, "weights": {"sha256": "old"}})
    assert changes == {"seed": (1, 2), "weights.sha256": ("old", "ab"), "gone": (True, None)}


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"lr": float("nan")})


def test_code_hash_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("not code")
    first = code_hash_of(tmp_path)
    (tmp_path / "notes.txt").write_text("still not code")
    assert code_hash_of(tmp_path) == first
    (tmp_path / "inner" / "a.py").write_text("x = 2\n")
    second = code_hash_of(tmp_path)
    (tmp_path / "inner" / "a.py").rename(tmp_path / "inner" / "b.py")
    assert len({first, second, code_hash_of(tmp_path)}) == 3


def test_the_code_of_qaexp_is_read_once_a_process() -> None:
    code_hash.cache_clear()
    assert code_hash() == code_hash() == code_hash_of(REPOSITORY / "qaexp")
    assert code_hash.cache_info().misses == 1


def test_all_of_it_is_null_and_not_one_example() -> None:
    def run_id(size: float | None) -> str:
        return identify({"data": {"train_size": size, "dev_size": size}}, set(), {}, {}).run_id

    assert run_id(1.0) == run_id(None) != run_id(1)
    now = identify({"data": {"train_size": 1}}, set(), {}, {})
    assert now.changes({"data": {"train_size": 1.0}}, now.inputs) == {"data.train_size": (None, 1)}


STORED = {
    "optimizer.lr=0.0005,seed=0": "805d101ea655e381d256d505de92f1b43830cb0b3fd22764e6ece84a3cdf0abe",
    "optimizer.lr=0.001,seed=2": "24167b92",
}
RUNS = sorted((REPOSITORY / "multirun_outputs" / "collapsed_seed").glob("optimizer.lr=*"))


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.name)
def test_stored_runs_are_the_same_runs_still(run: Path) -> None:
    """Under the addresses that they were stored with, and under those of today; nothing is taken for a change."""
    config, record = read_json(run / "config.json"), read_json(run / "run.json")
    inputs = record["inputs"]
    for same in (config, with_public(config), with_former(config)):
        identity = identify(same, neutral_keys(), inputs["data"], inputs["weights"])
        assert identity.sha256 == record["identity"]
        assert identity.changes(config, inputs) == {}
    assert record["identity"].startswith(STORED.get(run.name.rpartition("-")[0], record["run_id"]))


def test_runs_of_before_and_of_today_differ_in_no_address() -> None:
    run = RUNS[0]
    shown = read_run(run).config
    assert "qaexp.model.Checkpoint" in (run / "config.json").read_text()
    assert shown["model"]["_target_"] == "qaexp.nodes.Checkpoint"
    assert shown == with_public(read_json(run / "config.json"))
