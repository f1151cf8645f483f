"""Features to logits with a model of torch: the one path for dev evaluation, probes and the predictor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from qaexp.data.batches import collate
from qaexp.data.device_copies import on_device, without_full_mask
from qaexp.errors import is_out_of_memory
from qaexp.evaluation.batchwise import ACCELERATOR_BUDGET, CPU_BUDGET, Floats, Ints, in_batches
from qaexp.evaluation.logits import Logits, LogitsInMemory

if TYPE_CHECKING:
    from qaexp.data.features import Features

__all__ = ["ACCELERATOR_BUDGET", "CPU_BUDGET", "Logits", "budget_on", "predict_each", "predict_logits"]


def budget_on(device: torch.device) -> int:
    """The tokens of a batch that a device answers the fastest."""
    return CPU_BUDGET if device.type == "cpu" else ACCELERATOR_BUDGET


def predict_logits(model: torch.nn.Module, features: Features, **settings: Any) -> Logits:
    """Run the model over all features, and hold the logits in memory.

    Args:
        model: See `predict_each`.
        features: The features.
        **settings: The other arguments of `predict_each`.

    Returns:
        The logits, unpadded, in the order of the features.

    Raises:
        OutOfMemoryError: A single feature does not fit.
    """
    made = LogitsInMemory(features.indptr)
    predict_each(model, features, made.put, **settings)
    return made.all()


def predict_each(
    model: torch.nn.Module,
    features: Features,
    put: Callable[[Ints, Floats, Floats], None],
    *,
    pad_token_id: int,
    padding_side: str,
    with_token_types: bool,
    token_budget: int = ACCELERATOR_BUDGET,
    autocast: contextlib.AbstractContextManager[object] | None = None,
    device: torch.device | str | None = None,
    seen: Callable[[int, int], None] | None = None,
    chosen: Ints | None = None,
) -> None:
    """Run the model over all features, without dropout, gradients or any use of random numbers.

    Batches are made as by `in_batches`. Afterwards every module is back in its previous mode.

    Args:
        model: It returns `start_logits` and `end_logits`, [batch, length] each.
        features: The features.
        put: Called after each batch with its features, and with their start and end logits, one feature after the
            other, unpadded.
        pad_token_id: The id of padding.
        padding_side: `right` or `left`.
        with_token_types: Whether the model takes token_type_ids.
        token_budget: Tokens of a batch, padding included; a longer feature goes alone.
        autocast: The context to compute in, for mixed precision.
        device: Where the model is; None for the place of its parameters.
        seen: Called after each batch with the number of features done and their total.
        chosen: The features that are run, in this order; None: all of them, the longest first. Of a share it is told
            how far all are, as if the others were as far.

    Raises:
        OutOfMemoryError: A single feature does not fit.
    """
    place = torch.device(device) if device is not None else next(model.parameters()).device

    def compute(batch: Ints) -> tuple[Floats, Floats] | None:
        inputs = collate(
            features, batch, pad_token_id=pad_token_id, padding_side=padding_side, with_token_types=with_token_types
        )
        return _logits_or_none(model, inputs, place)

    def freed() -> None:
        if place.type != "cpu":
            torch.get_device_module(place).empty_cache()

    with _evaluating(model), torch.inference_mode(), autocast or contextlib.nullcontext():
        in_batches(features, put, compute, token_budget=token_budget, seen=seen, chosen=chosen, freed=freed)


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode, and restore its own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _logits_or_none(
    model: torch.nn.Module, inputs: dict[str, torch.Tensor], device: torch.device
) -> tuple[Floats, Floats] | None:
    """The start and end logits of a batch's real tokens, one feature after the other; None if memory runs out."""
    try:
        real = inputs["attention_mask"].bool()
        given = {name: tensor for name, tensor in inputs.items() if not name.endswith("_positions")}
        output = model(**without_full_mask(on_device(given, device), is_full=bool(real.all())))
        # One copy brings both back; it is the only time that the host waits for the device in a batch.
        start, end = torch.stack((output.start_logits.float(), output.end_logits.float())).cpu()
        return start[real].numpy(), end[real].numpy()
    except RuntimeError as error:  # torch.OutOfMemoryError is a subclass; a CPU raises this one
        if not is_out_of_memory(error):
            raise
        return None
