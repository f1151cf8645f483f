"""The references that evaluation is held against (those of the benchmarks too), and made-up windows with logits."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from qaexp.data.features import Features
from qaexp.data.squad import Example, read_squad_file
from qaexp.evaluation.logits import Logits

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reference_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def decoding_reference() -> ModuleType:
    """`brute_force` and run_qa's way of decoding."""
    return _load("decoding")


@pytest.fixture(scope="session")
def official() -> ModuleType:
    """The official metric's functions."""
    return _load("metric")


@pytest.fixture(scope="session")
def dev_examples(sample_dir: Path) -> tuple[Example, ...]:
    """The 1,152 examples of the real dev file."""
    return read_squad_file(sample_dir / "dev.json").examples


@pytest.fixture(scope="session")
def make_features() -> Callable[..., Features]:
    """Features by their windows: a list of (example, context offsets), each with one CLS token before the context."""

    def make(windows: list[tuple[int, list[tuple[int, int]]]], **columns: Any) -> Features:
        lengths = np.array([len(offsets) + 2 for _, offsets in windows], dtype=np.int64)
        pairs = [pair for _, offsets in windows for pair in [(0, 0), *offsets, (0, 0)]]
        zeros = np.zeros(len(windows), dtype=np.int32)
        return Features(
            indptr=np.append(0, np.cumsum(lengths)),
            input_ids=np.zeros(lengths.sum(), dtype=np.int32),
            token_type_ids=np.zeros(lengths.sum(), dtype=np.uint8),
            offset_mapping=np.array(pairs, dtype=np.int32).reshape(-1, 2),
            context_begin=zeros + 1,
            context_end=(lengths - 1).astype(np.int32),
            null_position=zeros,
            example_index=np.array([index for index, _ in windows], dtype=np.int32),
            start_position=columns.get("start_position", zeros),
            end_position=columns.get("end_position", zeros),
            num_truncated_questions=0,
        )

    return make


@pytest.fixture(scope="session")
def make_logits() -> Callable[..., Logits]:
    """Logits of a seed; `integers` makes ties."""

    def make(features: Features, seed: int, *, integers: bool = False) -> Logits:
        generator = np.random.default_rng(seed)
        values = generator.normal(size=(2, features.num_tokens)) * 3
        start, end = (values.round() if integers else values).astype(np.float32)
        return Logits(features.indptr, start, end)

    return make
