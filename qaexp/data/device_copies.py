"""How a batch gets to the device that computes: in one copy, during which the host goes on."""

from __future__ import annotations

import torch
from torch import Tensor


def on_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Copy the tensors of a batch to a device.

    Args:
        batch: int64 tensors on the CPU, as `collate` makes them.
        device: Where to; the CPU: the batch is returned as it is.

    Returns:
        The same tensors, each contiguous; they share the storage of one copy.
    """
    if device.type == "cpu":
        return batch
    host = torch.cat([tensor.reshape(-1) for tensor in batch.values()])
    # Copies from pinned memory overlap with the computation; copies from pageable memory wait for it. MPS has no pinned
    # memory: it shares that of the host.
    is_pinned = device.type != "mps"
    copied = (host.pin_memory() if is_pinned else host).to(device, non_blocking=is_pinned)
    pieces = torch.split(copied, [tensor.numel() for tensor in batch.values()])
    return {name: piece.view(batch[name].shape) for name, piece in zip(batch, pieces, strict=True)}


def without_full_mask(inputs: dict[str, Tensor], *, is_full: bool) -> dict[str, Tensor]:
    """Leave the mask out of a model's inputs on a device where no token is padding: its fastest attention takes none.

    On a CPU, where it costs nothing, the model looks for itself.

    Args:
        inputs: The keywords of the model, `attention_mask` among them.
        is_full: Whether no token is padding.
    """
    if not is_full or inputs["attention_mask"].device.type == "cpu":
        return inputs
    return {name: tensor for name, tensor in inputs.items() if name != "attention_mask"}
