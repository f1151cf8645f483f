"""A model moves to the device that computes, and from then on its masks are made without asking the device."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# The kinds of attention whose mask transformers leaves out where it reads in the batch that no token is padding.
_KINDS = ("sdpa", "eager")


def place(model: torch.nn.Module, device: torch.device) -> None:
    """Move a model to a device, in place.

    transformers reads the mask of each batch, to leave it out where nothing is padding: for that the host waits until
    the device has done all its work, in every forward pass. On a device other than the CPU it no longer does so, in the
    whole process; who calls the model knows without reading, and gives no mask where nothing is padding.
    """
    if device.type != "cpu":
        _leave_masks_unread()
    model.to(device)


@functools.cache
def _leave_masks_unread() -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    for kind in _KINDS:
        AttentionMaskInterface.register(kind, _unread(ALL_MASK_ATTENTION_FUNCTIONS[kind]))


def _unread(make: Callable[..., Tensor | None]) -> Callable[..., Tensor | None]:
    """Make a mask wherever one is given, unless it is on the CPU, where reading it costs nothing."""

    @functools.wraps(make)
    def made(*sizes: Any, attention_mask: Tensor | None = None, **settings: Any) -> Tensor | None:
        if attention_mask is not None and attention_mask.device.type != "cpu":
            settings |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
        return make(*sizes, attention_mask=attention_mask, **settings)

    return made
