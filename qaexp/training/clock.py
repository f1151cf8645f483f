"""Seconds of training and of evaluation, counted separately."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Record = TypeVar("Record")


@dataclass(slots=True)
class Clock:
    """Counts seconds while a training is consumed.

    Attributes:
        train_seconds: Inside the training loop.
        eval_seconds: In evaluations; added by the code that evaluates.
    """

    train_seconds: float = 0.0
    eval_seconds: float = 0.0

    def training(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass on the records of a training; only the time until each one arrives counts as training."""
        waiting = iter(records)
        while True:
            began = time.perf_counter()
            record = next(waiting, None)
            self.train_seconds += time.perf_counter() - began
            if record is None:
                return
            yield record

    def reading(self, step: int, num_tokens: int, num_features: int) -> dict[str, Any]:
        """One line of timings.jsonl: means since the training began."""
        seconds = max(self.train_seconds, 1e-9)
        return {
            "step": step,
            "elapsed_seconds": round(self.train_seconds + self.eval_seconds, 3),
            "tokens_per_second": round(num_tokens / seconds, 1),
            "features_per_second": round(num_features / seconds, 2),
            "eval_seconds": round(self.eval_seconds, 3),
        }
