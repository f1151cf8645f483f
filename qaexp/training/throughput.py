"""How fast a training is, and how much of the machine's compute it uses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from qaexp.model.layers import is_embedding

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_GEMM_SIZE = {"cpu": 1024, "cuda": 8192, "mps": 2048}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def tokens_per_second(num_tokens: int, seconds: float) -> float:
    """Real tokens (no padding) per second of training; 0 when nothing was trained.

    >>> tokens_per_second(3000, 1.5)
    2000.0
    """
    return num_tokens / seconds if seconds > 0 else 0.0


def flops_per_token(model: PreTrainedModel, lengths: NDArray[np.int64]) -> float:
    """Floating-point operations of training per real token: forward and backward, without padding.

    6 per weight of a matrix that is not an embedding, and 12 * layers * width * length for the attention within a
    feature (PaLM, Chowdhery et al., 2022, appendix B). Frozen layers and recomputed activations get no special
    treatment.

    Args:
        model: A transformer encoder.
        lengths: Tokens of each feature.
    """
    matrices = [p for name, p in model.named_parameters() if p.ndim > 1 and not is_embedding(model, name)]
    weights = sum(matrix.numel() for matrix in matrices)
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    total = float(lengths.sum())
    attention = 12.0 * layers * width * float(np.square(lengths, dtype=np.float64).sum()) / total if total else 0.0
    return 6.0 * weights + attention


def gemm_rate(device: torch.device, precision: str, *, seconds: float = 0.2) -> float:
    """How fast this process multiplies large matrices now, in floating-point operations per second.

    Args:
        device: The training device.
        precision: fp32, bf16 or fp16.
        seconds: Duration of the measurement.
    """
    size = _GEMM_SIZE.get(device.type, 1024)
    left = torch.ones(size, size, dtype=_DTYPES[precision], device=device)
    right = torch.ones_like(left)
    (left @ right).sum().item()  # warm-up: pages, kernels, threads
    best, begin = float("inf"), time.perf_counter()
    # The fastest of several: on a shared machine, slower ones measure its other users.
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        product = left @ right
        product[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best


def model_flops_utilisation(num_tokens_per_second: float, flops_of_token: float, rate: float) -> float:
    """Useful arithmetic of a training in percent of the GEMM rate (MFU).

    >>> model_flops_utilisation(1000.0, 7e7, 1.4e11)
    50.0
    """
    return 100.0 * num_tokens_per_second * flops_of_token / rate if rate > 0 else 0.0
