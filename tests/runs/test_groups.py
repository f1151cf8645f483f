"""Groups: repeats up to their seeds, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qaexp.config.schema import neutral_keys
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.repeats import differing, group_runs


def run(f1: float | None, seed: int = 0, **changes: Any) -> RunFiles:
    """A completed run in memory; `inputs` changes its data, everything else its config."""
    inputs = changes.pop("inputs", {"data": {"train": "x"}})
    seeds = dict.fromkeys(("subset", "init", "order", "dropout"), seed)
    config = {
        "name": "a",
        "seed": seed,
        "seeds": {**seeds, "dev": 0},
        "optimizer": {"lr": 1e-3},
        "threads": 2,
        **changes,
    }
    record = {"run_id": f"{seed}-{sorted(changes)}", "inputs": inputs}
    return RunFiles(Path("x"), config, record, {"f1": f1, "exact": 1.0})


def groups(*runs: RunFiles) -> list[tuple[str, int]]:
    return [(group.name, group.n) for group in group_runs(runs, ["f1"], neutral_keys())]


def test_seeds_are_repeats() -> None:
    found = group_runs([run(10.0, 0), run(20.0, 1), run(60.0, 2)], ["f1", "missing"], neutral_keys())
    assert len(found) == 1
    assert found[0].metrics["f1"] == {"mean": 30.0, "sd": pytest.approx(26.457513110645905), "n": 3}
    assert found[0].metrics["missing"] == {"mean": None, "sd": None, "n": 0}
    assert found[0].name == "a"


def test_one_run_has_no_deviation_and_a_missing_value_is_not_zero() -> None:
    (found,) = group_runs([run(10.0, 0), run(None, 1)], ["f1"], neutral_keys())
    assert found.metrics["f1"] == {"mean": 10.0, "sd": None, "n": 1}


def test_a_split_seed_is_a_repeat_and_the_dev_seed_is_not() -> None:
    split = run(1.0, seeds={"subset": 0, "init": 5, "order": 0, "dropout": 0, "dev": 0})
    assert groups(run(1.0), split) == [("a", 2)]
    dev = run(1.0, seeds={"subset": 0, "init": 0, "order": 0, "dropout": 0, "dev": 1})
    assert groups(run(1.0), dev) == [("seeds.dev=0", 1), ("seeds.dev=1", 1)]


def test_other_values_and_other_data_are_other_groups_and_neutral_keys_are_not() -> None:
    other = run(1.0, 1, optimizer={"lr": 3e-3})
    assert groups(run(1.0), run(2.0, 1), other) == [("lr=0.001", 2), ("lr=0.003", 1)]
    assert groups(run(1.0), run(1.0, 1, inputs={"data": {"train": "y"}})) == [
        ("inputs.data.train=x", 1),
        ("inputs.data.train=y", 1),
    ]
    assert groups(run(1.0), run(1.0, 1, threads=1, name="b")) == [("x and 1 more", 2)]


def test_weights_are_named_by_where_they_come_from_and_a_moved_file_is_no_other_one() -> None:
    a = {"model.checkpoint": "bert", "inputs.weights.weights_sha256": "1", "data.dev_file": "x.json"}
    b = {"model.checkpoint": "roberta", "inputs.weights.weights_sha256": "2", "data.dev_file": "moved/x.json"}
    assert differing([a, b]) == [{"model.checkpoint": "bert"}, {"model.checkpoint": "roberta"}]
    assert differing([a, {**a, "model.checkpoint": "copy"}]) == [{}, {}]
    assert differing([a, {**a, "inputs.weights.weights_sha256": "2"}])[1] == {"inputs.weights.weights_sha256": "2"}


def test_a_key_that_is_written_nowhere_is_told_by_what_it_stood_for() -> None:
    found = groups(run(1.0, trainer={"epochs": 1}), run(2.0, trainer={"epochs": 1, "attention": "unpadded"}))
    assert found == [("attention=plain", 1), ("attention=unpadded", 1)]
