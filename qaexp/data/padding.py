"""Features to rows of one length, as a model takes them: arrays, whichever library computes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qaexp.data.windows import ranges

if TYPE_CHECKING:
    from qaexp.data.features import Features

Ints = NDArray[np.int64]


def padded(
    features: Features, indices: Ints, *, pad_token_id: int, padding_side: str, with_token_types: bool
) -> dict[str, Ints]:
    """Put features together as arrays, padded to the longest of them.

    Args:
        features: All features.
        indices: Which ones, in the order of the rows.
        pad_token_id: What fills up input_ids.
        padding_side: `right` or `left`; on the left, positions move with the tokens.
        with_token_types: Whether token_type_ids are wanted.

    Returns:
        int64 arrays: input_ids, attention_mask (1 for tokens) and, if wanted, token_type_ids `[batch, longest]`;
        start_positions and end_positions (inclusive) `[batch]`.
    """
    begin = features.indptr[indices]
    lengths = features.indptr[indices + 1] - begin
    longest = int(lengths.max(initial=0))
    padding = longest - lengths[:, None] if padding_side == "left" else np.zeros((len(indices), 1), np.int64)
    column = np.arange(longest)
    is_token = (column >= padding) & (column < padding + lengths[:, None])
    # Row by row, the true cells are the tokens of the features one after the other.
    tokens = ranges(begin, lengths)
    input_ids = np.full(is_token.shape, pad_token_id, np.int64)
    input_ids[is_token] = features.input_ids[tokens]
    arrays = {"input_ids": input_ids, "attention_mask": is_token.astype(np.int64)}
    if with_token_types:
        arrays["token_type_ids"] = np.zeros(is_token.shape, np.int64)
        arrays["token_type_ids"][is_token] = features.token_type_ids[tokens]
    arrays["start_positions"] = features.start_position[indices] + padding[:, 0]
    arrays["end_positions"] = features.end_position[indices] + padding[:, 0]
    return arrays
