"""A question set in shards: neighbouring examples with their features and logits, few enough to be decoded together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qaexp.errors import IntegrityError
from qaexp.evaluation.logits import Logits, LogitSource, check_owners

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

Ints = npt.NDArray[np.int64]

# Tokens of a shard; decoding takes about a hundred bytes for each. A larger example is a shard of its own.
TOKENS_PER_SHARD = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Some examples, their features (`example_index` counts from the first of them) and their logits."""

    examples: Sequence[Example]
    features: Features
    logits: Logits

    def not_finite(self) -> list[str]:
        """The ids of the examples that have a logit which is NaN or infinite."""
        finite = np.isfinite(self.logits.start) & np.isfinite(self.logits.end)
        if finite.all():
            return []
        broken = np.searchsorted(self.features.indptr, np.flatnonzero(~finite), side="right") - 1
        return [self.examples[index].id for index in np.unique(self.features.example_index[broken])]


def shards(examples: Sequence[Example], features: Features, logits: LogitSource) -> Iterator[Shard]:
    """Yield a question set shard by shard; an empty one is one empty shard.

    Raises:
        IntegrityError: Examples, features and logits do not belong together.
    """
    if not np.array_equal(logits.indptr, features.indptr):
        raise IntegrityError(
            f"logits: those of {len(logits.indptr) - 1} features with {int(logits.indptr[-1])} tokens do not fit "
            f"{len(features)} features with {features.num_tokens} tokens; predict again with the same features"
        )
    begin = 0
    for chosen, own in _without_logits(examples, features):
        yield Shard(chosen, own, logits.part(begin, begin + len(own)))
        begin += len(own)


def _without_logits(examples: Sequence[Example], features: Features) -> Iterator[tuple[Sequence[Example], Features]]:
    """Yield the examples and features of each shard.

    Raises:
        IntegrityError: They do not belong together.
    """
    check_owners(len(examples), features.example_index)
    for first, last in bounds(features.indptr, features.example_index, len(examples)):
        begin, end = np.searchsorted(features.example_index, (first, last)).tolist()
        yield tuple(examples[place] for place in range(first, last)), part_of(features, begin, end, first)


def bounds(indptr: Ints, example_index: npt.NDArray[np.int32], num_examples: int) -> list[tuple[int, int]]:
    """Return the first example of each shard, and the one after its last.

    Args:
        indptr: Where the tokens of each feature begin, `[num_features + 1]`.
        example_index: The example of each feature, non-decreasing.
        num_examples: How many there are.
    """
    tokens = indptr[np.searchsorted(example_index, np.arange(num_examples + 1))]
    found = [0]
    while found[-1] < num_examples:
        last = int(np.searchsorted(tokens, tokens[found[-1]] + TOKENS_PER_SHARD, side="right")) - 1
        found.append(min(max(last, found[-1] + 1), num_examples))
    return list(pairwise(found)) or [(0, 0)]


def is_one_shard(features: Features, num_examples: int) -> bool:
    """Whether a question set is small enough to be held as a whole."""
    return features.num_tokens <= TOKENS_PER_SHARD or num_examples <= 1


def part_of(features: Features, begin: int, end: int, first_example: int) -> Features:
    """The features from `begin` to `end` (exclusive), whose examples count from `first_example`; nothing is copied."""
    head, tail = features.indptr[begin], features.indptr[end]
    return replace(
        features,
        indptr=features.indptr[begin : end + 1] - head,
        input_ids=features.input_ids[head:tail],
        token_type_ids=features.token_type_ids[head:tail],
        offset_mapping=features.offset_mapping[head:tail],
        context_begin=features.context_begin[begin:end],
        context_end=features.context_end[begin:end],
        null_position=features.null_position[begin:end],
        example_index=features.example_index[begin:end] - np.int32(first_example),
        start_position=features.start_position[begin:end],
        end_position=features.end_position[begin:end],
    )
