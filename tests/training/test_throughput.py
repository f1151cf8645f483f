"""Arithmetic of a training against counts made by hand and by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from qaexp.training.throughput import flops_per_token, gemm_rate
from tests.fixtures import tiny_training as tiny


def test_flops_are_those_that_torch_counts() -> None:
    """Forward and backward of one feature; the counter sees matrix products, as the formula does."""
    model = tiny.make_model().model
    model.set_attn_implementation("eager")
    length = 128
    with FlopCounterMode(display=False) as counter:
        output = model(input_ids=torch.randint(5, 99, (1, length)))
        (output.start_logits.sum() + output.end_logits.sum()).backward()
    expected = counter.get_total_flops()
    assert flops_per_token(model, np.array([length])) * length == pytest.approx(expected, rel=1e-3)


def test_attention_costs_by_the_square_of_each_length() -> None:
    model = tiny.make_model().model
    weights = 6 * sum(p.numel() for name, p in model.named_parameters() if "embeddings" not in name and p.ndim > 1)
    expected = (12 * 2 * 32 * (100**2 + 20**2) + weights * 120) / 120
    assert flops_per_token(model, np.array([100, 20])) == pytest.approx(expected)
    assert flops_per_token(model, np.array([], dtype=np.int64)) == weights


def test_the_machine_is_measured() -> None:
    assert 1e8 < gemm_rate(torch.device("cpu"), "fp32", seconds=0.05) < 1e14
