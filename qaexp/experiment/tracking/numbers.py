"""The names under which trackers are sent the numbers of a run, and the units of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qaexp.runs.metrics import EPOCHS, NUMBERS, number_of, shown_in
from qaexp.runs.number import is_number

Numbers = dict[str, float]

# Where the numbers of one kind stand: the part of a name before the slash.
TRAIN, SPEED, EPOCH, DEV, SUMMARY = "train", "speed", "epoch", "dev", "summary"
_STEP = {
    TRAIN: ("loss", "learning_rate", "grad_norm"),
    SPEED: ("tokens_per_second", "features_per_second", "memory_mib"),
}
_TRAINING_IN_EPOCH = ("train_loss", "train_accuracy")
# What timings.jsonl measures beside the numbers of summary.json.
_UNITS = {"features_per_second": "features/s", "memory_mib": "MiB"}


def step_numbers(record: Mapping[str, Any]) -> Numbers:
    """The finite numbers of a line of metrics.jsonl and of its line of timings.jsonl.

    >>> step_numbers({"step": 1, "loss": 2.5, "grad_norm": None, "memory_mib": 80.5})
    {'train/loss': 2.5, 'speed/memory_mib': 80.5}
    """
    return {
        f"{place}/{name}": float(record[name])
        for place, names in _STEP.items()
        for name in names
        if is_number(record.get(name))
    }


def epoch_numbers(row: Mapping[str, Any]) -> Numbers:
    """The finite numbers of a row of history.csv.

    >>> epoch_numbers({"epoch": 1, "step": 8, "train_loss": 2.5, "f1": 50.0, "probe_0": "Paris"})
    {'epoch/train_loss': 2.5, 'dev/f1': 50.0}
    """
    training = {f"{EPOCH}/{name}": float(row[name]) for name in _TRAINING_IN_EPOCH if is_number(row.get(name))}
    scores = {
        f"{DEV}/{name}": float(value)
        for name, value in row.items()
        if number_of(name).column is not None and is_number(value)
    }
    return {**training, **scores}


def summary_numbers(summary: Mapping[str, Any]) -> Numbers:
    """The finite numbers of summary.json.

    >>> summary_numbers({"f1": 50.0, "no_ans_f1": None, "manifest_sha256": "ab"})
    {'summary/f1': 50.0}
    """
    return {f"{SUMMARY}/{name}": float(value) for name, value in summary.items() if is_number(value)}


def probe_answers(row: Mapping[str, Any]) -> dict[str, str]:
    """The answers to the probes in a row of history.csv."""
    return {name: str(value) for name, value in row.items() if name.startswith("probe_")}


def units(names: Iterable[str]) -> dict[str, str]:
    """The unit of each number that has one.

    Args:
        names: Names with their place.

    >>> units(["dev/f1", "train/loss", "summary/train_seconds"])
    {'dev/f1': '%', 'summary/train_seconds': 's'}
    """
    found = {name: name.rpartition("/")[2] for name in names}
    known = {name: _UNITS.get(word) or number_of(word).unit for name, word in found.items()}
    return {name: unit for name, unit in known.items() if unit}


def units_text() -> str:
    """The units of all numbers that trackers are sent, for people: one line a unit."""
    names = [f"{place}/{name}" for place, own in _STEP.items() for name in own]
    names += [f"{EPOCH}/{name}" for name in _TRAINING_IN_EPOCH]
    names += [f"{DEV}/{name}" for name in shown_in(EPOCHS) if NUMBERS[name].column]
    names += [f"{SUMMARY}/{name}" for name in NUMBERS]
    by_unit: dict[str, list[str]] = {}
    for name, unit in units(names).items():
        by_unit.setdefault(unit, []).append(name)
    return "\n".join(f"{unit}: {', '.join(own)}" for unit, own in by_unit.items())
