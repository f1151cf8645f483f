"""The raw scores of a model for every token of every feature: what `rescore` stores and decoding reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from qaexp.data.windows import ranges
from qaexp.errors import DivergedError, IntegrityError
from qaexp.storage.scratch import Scratch

if TYPE_CHECKING:
    from qaexp.data.features import Features
    from qaexp.data.squad import Example

NUM_IDS_SHOWN = 5
_BYTES = 4

Floats = npt.NDArray[np.float32]


class LogitSource(Protocol):
    """Logits, wherever they lie."""

    @property
    def indptr(self) -> npt.NDArray[np.int64]:
        """Where the tokens of each feature begin, `[num_features + 1]`."""

    def part(self, begin: int, end: int) -> Logits:
        """Those of the features from `begin` to `end` (exclusive)."""


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Start and end logits, unpadded: feature i has `start[indptr[i]:indptr[i + 1]]`, and `end` likewise.

    `indptr` int64 [num_features + 1] equals the features' own; `start` and `end` are float32 [num_tokens].
    """

    indptr: npt.NDArray[np.int64]
    start: Floats
    end: Floats

    def part(self, begin: int, end: int) -> Logits:
        """The logits of the features from `begin` to `end` (exclusive); nothing is copied."""
        tokens = slice(self.indptr[begin], self.indptr[end])
        return Logits(self.indptr[begin : end + 1] - self.indptr[begin], self.start[tokens], self.end[tokens])


class LogitsInMemory:
    """Logits that come feature by feature, in any order."""

    def __init__(self, indptr: npt.NDArray[np.int64]) -> None:
        """Take where the tokens of each feature begin, `[num_features + 1]`; room is made when the first ones come."""
        self._indptr = indptr

    @cached_property
    def _values(self) -> Floats:
        return np.empty((2, int(self._indptr[-1])), np.float32)

    def put(self, features: npt.NDArray[np.int64], start: Floats, end: Floats) -> None:
        """Store the logits of some features, one after the other."""
        place = ranges(self._indptr[features], self._indptr[features + 1] - self._indptr[features])
        self._values[0, place], self._values[1, place] = start, end

    def all(self) -> Logits:
        """Those of all features."""
        return Logits(self._indptr, *self._values)


class LogitsOnDisk:
    """Logits in a file without a name: they come feature by feature, in any order, and are read by stretches."""

    def __init__(self, indptr: npt.NDArray[np.int64], folder: Path | None) -> None:
        """Make room.

        Args:
            indptr: Where the tokens of each feature begin, `[num_features + 1]`.
            folder: Its place decides which disk they are on; None: the system's folder for temporary files.

        Raises:
            StorageError: There is no room.
        """
        self.indptr = indptr
        self._ends = _BYTES * int(indptr[-1])
        self._file = Scratch(folder, 2 * self._ends)

    def put(self, features: npt.NDArray[np.int64], start: Floats, end: Floats) -> None:
        """Store the logits of some features, one after the other."""
        head = 0
        for feature in features.tolist():
            place = _BYTES * int(self.indptr[feature])
            tail = head + int(self.indptr[feature + 1] - self.indptr[feature])
            self._file.write(place, _bytes_of(start[head:tail]))
            self._file.write(self._ends + place, _bytes_of(end[head:tail]))
            head = tail

    def part(self, begin: int, end: int) -> Logits:
        """Read the logits of the features from `begin` to `end` (exclusive)."""
        head, tail = int(self.indptr[begin]), int(self.indptr[end])
        indptr = self.indptr[begin : end + 1] - self.indptr[begin]
        return Logits(indptr, self._read(0, head, tail), self._read(self._ends, head, tail))

    def _read(self, place: int, head: int, tail: int) -> Floats:
        found = np.empty(tail - head, np.float32)
        self._file.read(place + _BYTES * head, _bytes_of(found))
        return found


def _bytes_of(values: Floats) -> memoryview:
    """The bytes of an array; a view of an empty one cannot be cast."""
    return values.data.cast("B") if len(values) else memoryview(b"")


def check_owners(num_examples: int, example_index: npt.NDArray[np.int32]) -> None:
    """Check that every example has a feature, and every feature its example.

    Raises:
        IntegrityError: They belong to others.
    """
    if not np.array_equal(np.unique(example_index), np.arange(num_examples)):
        raise IntegrityError(
            f"features: made from other examples than the {num_examples} given; build the features again"
        )


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
    check_owners(len(examples), features.example_index)
    finite = np.isfinite(logits.start) & np.isfinite(logits.end)
    if not finite.all():
        broken = np.searchsorted(features.indptr, np.flatnonzero(~finite), side="right") - 1
        refuse_not_finite([examples[index].id for index in np.unique(features.example_index[broken])], len(examples))


def refuse_not_finite(ids: Sequence[str], num_examples: int) -> None:
    """Refuse to score where logits are NaN or infinite.

    Args:
        ids: The examples that have such logits; nothing happens without any.
        num_examples: How many there are in all.

    Raises:
        DivergedError: There are some; the message names the first ids.
    """
    if ids:
        raise DivergedError(
            f"logits: NaN or Inf in {len(ids)} of {num_examples} examples (first ids: "
            f"{', '.join(ids[:NUM_IDS_SHOWN])}), no score is given; train again with a lower "
            "optimizer.lr, or in fp32"
        )
