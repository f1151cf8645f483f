"""Features to logits with an exported graph: the same batches as with torch, and torch is not needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qaexp.data.padding import padded
from qaexp.errors import is_out_of_memory
from qaexp.evaluation.batchwise import CPU_BUDGET, Floats, Ints, in_batches

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.model.exported import ExportedModel

# How the runtimes say that memory is short.
_NO_MEMORY = ("failed to allocate memory", "bad allocation", "bad_alloc")


def run_exported(
    model: ExportedModel,
    features: Features,
    put: Callable[[Ints, Floats, Floats], None],
    *,
    pad_token_id: int,
    padding_side: str,
    with_token_types: bool,
    token_budget: int = CPU_BUDGET,
    seen: Callable[[int, int], None] | None = None,
) -> None:
    """Run the graph over all features; batches are made as by `in_batches`.

    Args:
        model: The graph.
        features: The features.
        put: Called after each batch with its features, and with their logits, one feature after the other, unpadded.
        pad_token_id: The id of padding.
        padding_side: `right` or `left`.
        with_token_types: Whether the graph takes token_type_ids.
        token_budget: Tokens of a batch, padding included; a longer feature goes alone.
        seen: Called after each batch with the number of features done and their total.

    Raises:
        OutOfMemoryError: A single feature does not fit.
    """

    def compute(batch: Ints) -> tuple[Floats, Floats] | None:
        inputs = padded(
            features, batch, pad_token_id=pad_token_id, padding_side=padding_side, with_token_types=with_token_types
        )
        real = inputs["attention_mask"].astype(bool)
        try:
            start, end = model.run({name: inputs[name] for name in model.input_names})
        except Exception as error:  # the runtimes' errors are no RuntimeErrors, or nothing else
            if is_out_of_memory(error) or any(words in str(error).lower() for words in _NO_MEMORY):
                return None
            raise
        return start[real], end[real]

    in_batches(features, put, compute, token_budget=token_budget, seen=seen)
