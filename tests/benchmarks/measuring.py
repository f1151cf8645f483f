"""What several benchmarks need: the real sample, seconds taken in turns, and rows for transformers' Trainer."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from qaexp.data.features import Features
from qaexp.data.question_files import read_squad_file
from qaexp.data.squad import Example
from tests import SAMPLE

REPEATS = 7


def sample_examples() -> list[Example]:
    """Train and dev of the real sample."""
    return [example for name in ("train", "dev") for example in read_squad_file(SAMPLE / f"{name}.json").examples]


def paired_seconds(*functions: Callable[[], Any]) -> list[float]:
    """The least processor seconds of each, timed in turns; as `timeit` does it, without garbage collection."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, of_function in zip(functions, seconds, strict=True):
            gc.collect()
            gc.disable()
            began = time.process_time()
            function()
            of_function.append(time.process_time() - began)
            gc.enable()
    return [min(of_function) for of_function in seconds]


def trainer_rows(features: Features) -> list[dict[str, Any]]:
    """Features as a data set of transformers holds them, which Trainer's collator pads."""
    rows = [features.row(index) for index in range(len(features))]
    return [
        {
            "input_ids": row["input_ids"],
            "token_type_ids": row["token_type_ids"],
            "attention_mask": [1] * len(row["input_ids"]),
            "start_positions": row["start_position"],
            "end_positions": row["end_position"],
        }
        for row in rows
    ]
