"""What is measured: each function takes its share of the time and returns plain numbers."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from qaexp.training.peak import peak_memory_mib
from qaexp.training.throughput import flops_per_token, gemm_rate, model_flops_utilisation
from tests import REPOSITORY
from tests.benchmarks.gpu.contenders import Ours, Theirs, Turn
from tests.benchmarks.gpu.packed import Packed, Padded
from tests.benchmarks.gpu.workload import Workload

SQUAD_FEATURES = 88_000
_LEAST_ROUNDS = 2


def take_turns(turns: Mapping[str, Callable[[], Turn]], seconds: float) -> dict[str, list[Turn]]:
    """Let contenders take turns until the time is over, at least twice; the first turn of each is not counted."""
    for turn in turns.values():
        turn()
    found: dict[str, list[Turn]] = {name: [] for name in turns}
    began = time.perf_counter()
    while min(map(len, found.values())) < _LEAST_ROUNDS or time.perf_counter() - began < seconds:
        for name, turn in turns.items():
            found[name].append(turn())
    return found


def training(work: Workload, device: torch.device, seconds: float) -> dict[str, Any]:
    """qaexp against Trainer with its default order and with its best one; and how much of the device qaexp uses."""
    ours = Ours(work, device)
    alone = take_turns({"qaexp": ours.turn}, 0.0)["qaexp"]
    peak = peak_memory_mib(device)
    others = {name: Theirs(work, device, sampling=name) for name in ("random", "group_by_length")}
    found = take_turns({"qaexp": ours.turn, **{name: other.turn for name, other in others.items()}}, seconds)
    rates = {name: [turn.rate for turn in turns] for name, turns in found.items()}
    features_a_second = statistics.median(turn.features / turn.seconds for turn in found["qaexp"])
    gemm = gemm_rate(device, "bf16", seconds=0.5)
    flops = flops_per_token(ours.state.model, ours.state.setup.feed.lengths)
    return {
        "model": work.name,
        "rounds": len(found["qaexp"]),
        "steps": work.steps,
        "rates": {name: statistics.median(values) for name, values in rates.items()},
        "ratios": {name: _ratios(rates["qaexp"], rates[name]) for name in others},
        "padding_share": ours.state.padding_share,
        "peak_mib": peak,
        "gemm_tflops": gemm / 1e12,
        "mfu": model_flops_utilisation(statistics.median(turn.rate for turn in alone), flops, gemm),
        "features_a_second": features_a_second,
        "epoch_seconds": SQUAD_FEATURES / features_a_second,
    }


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest and highest ratio of turns that followed each other."""
    found = [one / other for one, other in zip(ours, theirs, strict=True)]
    return statistics.median(found), min(found), max(found)


def full_length(work: Workload, device: torch.device, seconds: float) -> dict[str, Any]:
    """Features a second where all features have the full length, without any gain from padding."""
    ours = Ours(work, device, all_longest=True)
    turns = take_turns({"qaexp": ours.turn}, seconds)["qaexp"]
    return {
        "model": work.name,
        "longest": work.longest,
        "batch_size": work.batch_size,
        "features_a_second": statistics.median(turn.features / turn.seconds for turn in turns),
    }


def without_padding(work: Workload, device: torch.device, seconds: float) -> dict[str, Any]:
    """Packed rows with varlen attention against padded batches, after both have given some features the same loss."""
    padded, packed = Padded(work, device), Packed(work, device)
    some = np.arange(min(8, work.num_features))
    losses = [_loss_without_dropout(one, some) for one in (padded, packed)]
    found = take_turns({"padded": padded.turn, "packed": packed.turn}, seconds)
    rates = {name: [turn.rate for turn in turns] for name, turns in found.items()}
    return {
        "losses": losses,
        "rates": {name: statistics.median(values) for name, values in rates.items()},
        "ratio": _ratios(rates["packed"], rates["padded"]),
    }


def _loss_without_dropout(one: Padded, indices: np.ndarray) -> float:
    one.model.eval()
    with torch.no_grad():
        loss = float(one.loss(indices)) / len(indices)
    one.model.train()
    return loss


def same_bytes(*, rehearse: bool) -> dict[str, Any]:
    """Two trainings with `deterministic`, each in a process of its own, and one without: bytes and speed."""
    found = [_trained(kind, rehearse) for kind in ("deterministic", "deterministic", "plain")]
    return {
        "is_same": found[0]["digest"] == found[1]["digest"],
        "rates": {"deterministic": found[1]["rate"], "plain": found[2]["rate"]},
    }


def _trained(kind: str, rehearse: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.gpu.short_training", kind, *(["--rehearse"] if rehearse else [])]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def tests_passed(targets: Sequence[str], seconds: float) -> tuple[bool, str]:
    """Run tests on the device; whether they passed, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *targets]
    try:
        # Options of the tests that may run around it are not meant for these.
        own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
        done = subprocess.run(
            command, cwd=REPOSITORY, env=own, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"not done after {seconds:.0f} s"
    sys.stderr.write(done.stdout if done.returncode else "")
    return done.returncode == 0, done.stdout.strip().splitlines()[-1]
