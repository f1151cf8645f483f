"""Features to logits, batch by batch: which features share one, and what is done where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.errors import OutOfMemoryError
from qaexp.errors.advice import lower, set_to

if TYPE_CHECKING:
    from qaexp.data.features import Features

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Tokens of a batch. A CPU's caches hold little: 2,048 are answered in less time than 8,192 (docs/number_formats.md).
CPU_BUDGET, ACCELERATOR_BUDGET = 2048, 8192

# From the features of a batch to their start and end logits, one feature after the other, unpadded; None where memory
# runs out.
Compute = Callable[[Ints], "tuple[Floats, Floats] | None"]


def in_batches(
    features: Features,
    put: Callable[[Ints, Floats, Floats], None],
    compute: Compute,
    *,
    token_budget: int,
    seen: Callable[[int, int], None] | None = None,
    chosen: Ints | None = None,
    freed: Callable[[], None] = lambda: None,
) -> None:
    """Compute the logits of all features; those of similar length share a batch, the longest first.

    A batch that does not fit into memory is halved, and so are those after it.

    Args:
        features: The features.
        put: Called after each batch with its features, and with their logits.
        compute: What computes a batch.
        token_budget: Tokens of a batch, padding included; a longer feature goes alone.
        seen: Called after each batch with the number of features done and their total.
        chosen: The features that are run, in this order; None: all of them, the longest first. Of a share it is told
            how far all are, as if the others were as far.
        freed: Called where memory ran out, before the next try.

    Raises:
        OutOfMemoryError: A single feature does not fit.
    """
    lengths = features.lengths
    order = np.argsort(-lengths, kind="stable") if chosen is None else chosen
    done = 0
    while done < len(order):
        length = int(lengths[order[done]])
        batch = order[done : done + max(1, token_budget // length)]
        logits = compute(batch)
        if logits is None:
            token_budget = _halved(len(batch), length)
            freed()
            continue
        put(batch, *logits)
        done += len(batch)
        if seen is not None:
            seen(done * len(features) // len(order), len(features))


def _halved(num_features: int, length: int) -> int:
    """The token budget for half as many features of this length."""
    if num_features == 1:
        raise OutOfMemoryError(
            f"evaluation: one feature of {length} tokens does not fit into the memory of the device; "
            f"{lower('features.max_length')}, use a smaller model, or {set_to('trainer.device', 'cpu')}"
        )
    return num_features * length // 2
