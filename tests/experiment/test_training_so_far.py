"""The training so far: what a checkpoint is made from is what is restored, and its files are those of every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from qaexp.experiment import checkpoints
from qaexp.experiment.training_so_far import TrainingSoFar
from qaexp.training.peak import PeakMemory
from qaexp.training.selection import Selection
from qaexp.training.tensors import join_tree, read_tensors, split_tree
from tests.fixtures import tiny_run
from tests.fixtures.tiny_training import digest, start

# The order of the keys of state.json, by version 0.1.0: checkpoints are compared byte by byte.
TREE = {
    "training": ["optimizer", "sums", "scaler", "counters"],
    "selection": ["best_epoch", "best_f1", "best_step", "kept_epoch", "since_best"],
    "history": None,
    "seconds": ["train", "eval"],
    "elapsed_seconds": None,
    "peak_memory_mib": None,
}


class Scored:
    """As much of an answered question set as is taken note of."""

    eval_seconds = 1.5


def begun(keep: str = "best", *, steps: int = 0, f1: tuple[float, ...] = ()) -> TrainingSoFar:
    """A training after some steps and, after the first of them, some evaluations."""
    trainer, state = start(epochs=1)
    so_far = TrainingSoFar(state, Selection(keep, patience=3), PeakMemory(torch.device("cpu")))
    for _, record in zip(range(steps), trainer.train(state), strict=False):
        so_far.recorded({"step": getattr(record, "step", 0)})
        for number, value in enumerate(f1 if len(so_far.steps) == 1 else ()):
            so_far.evaluated({"epoch": number, "step": state.step, "f1": value}, Scored())  # type: ignore[arg-type]
    return so_far


@pytest.mark.parametrize("keep", ["last", "best"])
def test_what_is_restored_is_what_was_stored(keep: str) -> None:
    stored, fresh = begun(keep, steps=3, f1=(5.0, 40.0)), begun(keep)
    stored.clock.train_seconds = 2.25
    tree, weights = stored.state_dict(7.5), stored.weights()
    assert (weights[1] is None) == (keep == "last")
    fresh.load_state_dict(tree, *weights)
    tensors, plain = split_tree(fresh.state_dict(7.5))
    expected, expected_plain = split_tree(tree)
    assert {name for name in expected if not torch.equal(expected[name], tensors[name])} == set()
    assert list(tensors) == list(expected)
    peaks = [pair.pop() for pair in (plain["pairs"], expected_plain["pairs"])]
    assert plain == expected_plain
    assert peaks[0][1] >= peaks[1][1] > 0
    assert digest(fresh.state.model) == digest(stored.state.model)
    assert fresh.state.stored_step == stored.state.step


def test_nothing_is_left_to_train_where_nothing_got_better_for_too_long() -> None:
    so_far = begun(steps=2, f1=(9.0, 8.0, 8.0))
    assert not so_far.is_over
    assert so_far.state_dict(0)["training"]["optimizer"] is not None
    so_far.evaluated({"epoch": 3, "step": 2, "f1": 8.0}, Scored())  # type: ignore[arg-type]
    assert so_far.is_over
    assert so_far.state_dict(0)["training"]["optimizer"] is None
    assert (so_far.kept_row["f1"], so_far.clock.eval_seconds) == (9.0, 6.0)


def test_the_files_of_a_checkpoint_are_those_of_every_version(tmp_path: Path) -> None:
    run = tiny_run.train(
        tmp_path, "kept", *tiny_run.DEMO, "trainer.epochs=2", "trainer.keep=best", "trainer.keep_checkpoints=true"
    )
    folder = sorted((run / "checkpoints").iterdir())[0]
    names = {checkpoints.MODEL_FILE, checkpoints.OPTIMIZER_FILE, checkpoints.STATE_FILE, "MANIFEST.json"}
    assert names <= {path.name for path in folder.iterdir()} <= {*names, checkpoints.BEST_FILE}
    text = (folder / checkpoints.STATE_FILE).read_text()
    assert text == json.dumps(json.loads(text)) + "\n"
    tree: dict[str, Any] = join_tree(read_tensors(folder / checkpoints.OPTIMIZER_FILE), json.loads(text))
    assert {name: list(part) if TREE.get(name) else None for name, part in tree.items()} == TREE
    assert list(tree) == list(TREE)
    assert list(tree["training"]["counters"])[:3] == ["epoch", "micro_step", "step"]
