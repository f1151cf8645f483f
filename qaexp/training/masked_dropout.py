"""A model trained with own attention and own masks of dropout: which models can, and what is changed in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from qaexp.training import unpadded_attention
from qaexp.training.dropout_masks import DropoutMasks, as_numbers, scale, zero_padding

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Families whose every dropout is an attention of transformers' interface or an nn.Dropout of [batch, length, width].
FAMILIES = frozenset({"bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"})


class MaskedDropout(nn.Module):
    """Dropout with the masks of a training, each feature's its own.

    Attributes:
        p: How likely an element is dropped, as `nn.Dropout` calls it.
        masks: Where the masks come from.
        place: The number of this module among those of the model.
    """

    def __init__(self, p: float, masks: DropoutMasks, place: int) -> None:
        super().__init__()
        self.p = p
        self.masks = masks
        self.place = place

    def forward(self, hidden: Tensor) -> Tensor:
        """Drop elements of `[batch, length, width]`; padding becomes zero."""
        if not self.training or self.p == 0:
            return hidden
        spans = self.masks.rows.spans
        width = hidden.shape[-1]
        kept = self.masks.kept(self.place, self.p, [(last - first) * width for first, last in spans])
        mask = torch.empty_like(hidden, requires_grad=False)
        zero_padding(mask, spans)
        for row, one, (first, last) in zip(mask, kept, spans, strict=True):
            row[first:last] = as_numbers(one, hidden.dtype).view(-1, width)
        return hidden * mask.mul_(scale(self.p))

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        return f"p={self.p}, place={self.place}"


def use_masks(model: PreTrainedModel, masks: DropoutMasks) -> None:
    """Replace a model's attention and dropout, in place; its weights and their names stay.

    Args:
        model: Of one of the `FAMILIES`.
        masks: What all its dropouts draw from.
    """
    unpadded_attention.register()
    model.set_attn_implementation(unpadded_attention.NAME)
    for place, (name, module) in enumerate(list(model.named_modules())):
        module.dropout_masks, module.dropout_place = masks, place
        if isinstance(module, nn.Dropout):
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, MaskedDropout(module.p, masks, place))
