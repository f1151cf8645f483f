"""The price of a run that cannot be lost: seconds of checkpoints and of the step loop's bookkeeping in a whole run.

    python tests/benchmarks/checkpoint_price.py [OVERRIDE ...]

Runs `qaexp train` with the given overrides (none: the defaults) in a temporary folder, and counts, by wall clock, what
is spent on storing checkpoints (copying, sha256, writing, fsync, deleting old ones), and how long a step's own
bookkeeping takes (deferred signals, counters, what is due), measured apart and multiplied by the number of steps.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import timeit
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

import qaexp
from qaexp.experiment.checkpoints import Checkpoints
from qaexp.storage.signals import deferred, watched
from qaexp.training.loop import Trainer

_CALLS = 20_000


def counted(seconds: list[float]) -> None:
    """Let `Checkpoints.store` note how long it took, where it stored anything."""
    store = Checkpoints.store

    def timed(self: Checkpoints) -> None:
        is_due = self._so_far.state.stored_step != self._so_far.state.step
        began = time.perf_counter()
        store(self)
        if is_due:
            seconds.append(time.perf_counter() - began)

    Checkpoints.store = timed  # type: ignore[method-assign]


class _Standing:
    """As much of a training state as the loop's questions look at, in the middle of an epoch."""

    step, recorded_step, evaluated_step, stored_step = 7, 0, -1, -1
    is_finished = is_epoch_end = False

    def counters(self) -> dict[str, int]:
        return {f"c{number}": number for number in range(12)}


def bookkeeping_seconds() -> float:
    """Seconds of a step that compute nothing: what is due, deferred signals, counters to go back to."""
    trainer, state = Trainer(epochs=1, device="cpu", checkpoint_every=100), _Standing()

    def step() -> None:
        trainer._is_record_due(state)  # type: ignore[arg-type]
        trainer._is_evaluation_due(state)  # type: ignore[arg-type]
        trainer._is_checkpoint_due(state)  # type: ignore[arg-type]
        with deferred():
            state.counters()

    with watched():
        return min(timeit.repeat(step, number=_CALLS, repeat=5)) / _CALLS


def main(overrides: list[str]) -> None:
    """Run, and print one row of Markdown."""
    seconds: list[float] = []
    counted(seconds)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        began = time.perf_counter()
        summary: dict[str, Any] = qaexp.run(*overrides)
        total = time.perf_counter() - began
    steps = summary["num_steps"] * bookkeeping_seconds()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, `qaexp train {' '.join(overrides)}`\n")
    print("| run | checkpoints | of them | share | bookkeeping of all steps | share |")
    print("| --- | --- | --- | --- | --- | --- |")
    share, own = 100 * sum(seconds) / total, 100 * steps / total
    print(f"| {total:.1f} s | {sum(seconds):.2f} s | {len(seconds)} | {share:.2f} % | {steps:.4f} s | {own:.4f} % |")


if __name__ == "__main__":
    main(sys.argv[1:])
