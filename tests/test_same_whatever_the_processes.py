"""Runs in one, two and four processes: the same training with dropout, the same logits, and what one of them does."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

from tests.fixtures import tiny_run
from tests.fixtures.ranks import trained

# Micro-batches of five, two a step: neither two nor four processes share them evenly, and the last one is smaller.
DROPOUT = (
    *tiny_run.DEMO,
    "data.train_size=33",
    "trainer.attention=unpadded",
    "model.hidden_dropout=0.2",
    "model.attention_dropout=0.2",
    "batches=fixed",
    "batches.batch_size=5",
    "trainer.gradient_accumulation_steps=2",
    "trainer.epochs=2",
    "trainer.keep=best",
    "threads=4",
)
NUMBERS = (1, 2, 4)


def run(folder: Path, number: int, *words: str) -> Path:
    return trained(folder, f"name=run{number}", *words, f"trainer.processes={number}")


def losses(directory: Path) -> list[float]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)[name] for line in lines for name in ("loss", "grad_norm")]


def history(directory: Path) -> list[float]:
    with (directory / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [float(row[name]) for row in rows for name in ("train_loss", "train_accuracy", "exact", "f1")]


@pytest.mark.thorough
def test_dropout_draws_the_same_masks(tmp_path: Path) -> None:
    one, *others = (run(tmp_path, number, *DROPOUT) for number in NUMBERS)
    plain = trained(tmp_path, "name=plain", *DROPOUT, "model.hidden_dropout=0", "model.attention_dropout=0")
    assert losses(plain) != pytest.approx(losses(one), rel=1e-3), "dropout has no effect"
    for other in others:
        assert losses(other) == pytest.approx(losses(one), rel=1e-4)
        assert history(other) == pytest.approx(history(one), abs=1e-3)
        ours, theirs = (tiny_run.read_json(directory / "summary.json") for directory in (other, one))
        assert ours["gold_nll"] == pytest.approx(theirs["gold_nll"], rel=1e-4)
        assert ours["kept_epoch"] == theirs["kept_epoch"]
        assert tiny_run.read_json(other / "run.json")["identity"] == tiny_run.read_json(one / "run.json")["identity"]
        assert tiny_run.read_json(other / "env.json")["threads"] == 4


@pytest.mark.thorough
def test_the_logits_of_an_evaluation_have_the_same_bytes(tmp_path: Path) -> None:
    """Whichever process computes a batch, it is the same batch."""
    words = (*tiny_run.DEMO, "data.dev_size=60", "trainer.epochs=0", "threads=4")
    digests = set()
    for number in NUMBERS:
        content = (run(tmp_path, number, *words) / "logits.safetensors").read_bytes()
        digests.add(hashlib.sha256(content).hexdigest())
    assert len(digests) == 1
