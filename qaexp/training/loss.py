"""The training loss: how far start and end are from their labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def span_loss(
    start_logits: Tensor, end_logits: Tensor, attention_mask: Tensor, start_positions: Tensor, end_positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of start and end, averaged over the two, and how often both are predicted right.

    Padding takes no part, so that a feature's loss does not depend on what it is batched with. (transformers' own loss
    lets the padding of a batch into the softmax; without padding the two are equal.)

    Args:
        start_logits: float `[num_features, longest]`.
        end_logits: The same for the end.
        attention_mask: 1 for tokens, 0 for padding, the same shape.
        start_positions: int64 `[num_features]`.
        end_positions: int64 `[num_features]`, inclusive.

    Returns:
        The sum of the losses over the features, and the number of features predicted right, both 0-d float32.
    """
    padding = attention_mask == 0
    start = start_logits.float().masked_fill(padding, -torch.inf)
    end = end_logits.float().masked_fill(padding, -torch.inf)
    loss = cross_entropy(start, start_positions, reduction="sum") + cross_entropy(end, end_positions, reduction="sum")
    is_right = (start.argmax(-1) == start_positions) & (end.argmax(-1) == end_positions)
    return loss / 2, is_right.sum().float()
