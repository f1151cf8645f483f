"""The raw scores of a model for every token of every feature: what `rescore` stores and decoding reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.errors import DivergedError, IntegrityError

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

NUM_IDS_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Start and end logits, unpadded: feature i has `start[indptr[i]:indptr[i + 1]]`, and `end` likewise.

    `indptr` int64 [num_features + 1] equals the features' own; `start` and `end` are float32 [num_tokens].
    """

    indptr: npt.NDArray[np.int64]
    start: npt.NDArray[np.float32]
    end: npt.NDArray[np.float32]


def check_logits(examples: Sequence[Example], features: Features, logits: Logits) -> None:
    """Check that examples, features and logits belong together before anything is decoded.

    Raises:
        IntegrityError: They do not belong together, or an example has no feature.
        DivergedError: A logit is NaN or infinite; the message names the first ids.
    """
    num_tokens = int(features.indptr[-1])
    fits = len(logits.start) == len(logits.end) == num_tokens and np.array_equal(logits.indptr, features.indptr)
    if not fits:
        raise IntegrityError(
            f"logits: {len(logits.start)} start and {len(logits.end)} end logits of {len(logits.indptr) - 1} features "
            f"do not fit {len(features)} features with {num_tokens} tokens; predict again with the same features"
        )
    if not np.array_equal(np.unique(features.example_index), np.arange(len(examples))):
        raise IntegrityError(
            f"features: made from other examples than the {len(examples)} given; build the features again"
        )
    finite = np.isfinite(logits.start) & np.isfinite(logits.end)
    if not finite.all():
        broken = np.searchsorted(features.indptr, np.flatnonzero(~finite), side="right") - 1
        ids = [examples[index].id for index in np.unique(features.example_index[broken])]
        raise DivergedError(
            f"logits: NaN or Inf in {len(ids)} of {len(examples)} examples (first ids: "
            f"{', '.join(ids[:NUM_IDS_SHOWN])}), no score is given; train again with a lower "
            "optimizer.lr, or in fp32"
        )
