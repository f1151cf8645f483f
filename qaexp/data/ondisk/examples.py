"""Examples on disk: a sequence that makes each `Example` when it is asked for, with each context stored once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from qaexp.data.ondisk.entries import Entry
from qaexp.data.squad import Answer, Example

MAX_IN_MEMORY = 32_768
"""So many examples, which take about 100 MB with their features, are simply held."""

AT_ONCE = 1024
Ints = NDArray[np.int64]


class StoredExamples(Sequence[Example]):
    """Examples of an entry: all in their order, or those that were chosen.

    Attributes:
        is_impossible: Whether each has no answer.
    """

    def __init__(
        self, entry: Entry, rows: NDArray[np.int32] | None = None, whole: StoredExamples | None = None
    ) -> None:
        """Take an entry, and which of its rows are meant; None means all."""
        self._entry = entry
        self._tables: _Tables = _Tables(entry) if whole is None else whole._tables
        self._rows = np.arange(len(self._tables.row_place), dtype=np.int32) if rows is None else rows
        self.is_impossible: NDArray[np.bool_] = self._tables.is_impossible[self._rows]

    def __len__(self) -> int:
        """The number of examples."""
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        """One example, or several as a tuple."""
        if isinstance(index, slice):
            return tuple(self.some(np.arange(len(self))[index]))
        return self.some(np.array([range(len(self))[index]]))[0]

    def __iter__(self) -> Iterator[Example]:
        """Yield all, some of them read at a time."""
        for first in range(0, len(self), AT_ONCE):
            yield from self.some(np.arange(first, min(first + AT_ONCE, len(self))))

    def some(self, positions: Ints) -> list[Example]:
        """Read the examples at some positions; equal contexts among them are one text."""
        rows, tables = self._rows[positions], self._tables
        numbers, index = np.unique(tables.context_number[rows], return_inverse=True)
        places = np.concatenate([tables.row_place[rows], tables.context_place[numbers]])
        sizes = np.concatenate([tables.row_size[rows], tables.context_size[numbers]]).astype(np.int64)
        texts = self._entry.texts(places, sizes)
        contexts = [text.decode() for text in texts[len(rows) :]]
        return [_example(row, contexts[number]) for row, number in zip(texts, index.tolist(), strict=False)]

    def chosen(self, positions: Ints) -> Sequence[Example]:
        """The examples at some positions, in that order; few of them are held in memory."""
        if len(positions) <= MAX_IN_MEMORY:
            return tuple(self.some(positions))
        return StoredExamples(self._entry, self._rows[positions], self)

    def by_context(self) -> Ints:
        """Positions in the order in which texts are stored: questions on the same context one after the other."""
        return np.lexsort((self._rows, self._tables.context_number[self._rows]))

    def contexts(self) -> Iterator[str]:
        """Yield each different context once."""
        numbers = np.unique(self._tables.context_number[self._rows])
        for first in range(0, len(numbers), AT_ONCE):
            some = numbers[first : first + AT_ONCE]
            places, sizes = self._tables.context_place[some], self._tables.context_size[some].astype(np.int64)
            yield from (text.decode() for text in self._entry.texts(places, sizes))

    def stored_order(self) -> Iterator[Example]:
        """Yield all in the order of `by_context`."""
        order = self.by_context()
        for first in range(0, len(order), AT_ONCE):
            yield from self.some(order[first : first + AT_ONCE])

    def num_bytes(self) -> tuple[int, int]:
        """The bytes of all different contexts, and of all questions with what belongs to them."""
        numbers = np.unique(self._tables.context_number[self._rows])
        contexts = self._tables.context_size[numbers].sum(dtype=np.int64)
        return int(contexts), int(self._tables.row_size[self._rows].sum(dtype=np.int64))

    def digest(self) -> bytes:
        """The sha256 of everything in these examples, whatever their order and that of their file."""
        digest, order = hashlib.sha256(), self.by_context()
        numbers = self._tables.context_number[self._rows[order]]
        for first in range(0, len(order), AT_ONCE):
            rows = self._rows[order[first : first + AT_ONCE]]
            texts = self._entry.texts(self._tables.row_place[rows], self._tables.row_size[rows].astype(np.int64))
            contexts = self._tables.context_digest[numbers[first : first + AT_ONCE]].tobytes()
            digest.update(contexts)
            for text in texts:
                digest.update(len(text).to_bytes(8, "little") + text)
        return digest.digest()


def are_impossible(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Whether each of some examples, on disk or not, has no answer."""
    if isinstance(examples, StoredExamples):
        return examples.is_impossible
    return np.array([example.is_impossible for example in examples], dtype=bool)


def chosen(examples: Sequence[Example], positions: Ints) -> Sequence[Example]:
    """The examples at some positions, on disk or not, in that order."""
    if isinstance(examples, StoredExamples):
        return examples.chosen(positions)
    return tuple(examples[index] for index in positions.tolist())


def different_contexts(examples: Sequence[Example]) -> Iterator[str]:
    """Yield each different context of some examples, on disk or not, once."""
    if isinstance(examples, StoredExamples):
        return examples.contexts()
    return iter(dict.fromkeys(example.context for example in examples))


def in_any_order(examples: Sequence[Example]) -> Iterator[Example]:
    """Yield all of some examples, those on disk in the order in which they are read fastest."""
    return examples.stored_order() if isinstance(examples, StoredExamples) else iter(examples)


def ids_of(examples: Sequence[Example]) -> Sequence[str]:
    """The ids of some examples, on disk or not."""
    return StoredIds(examples) if isinstance(examples, StoredExamples) else [example.id for example in examples]


class StoredIds(Sequence[str]):
    """The ids of examples on disk: read when the first one is asked for, and held as one text."""

    def __init__(self, examples: StoredExamples) -> None:
        """Take the examples."""
        self._examples = examples
        self._held: tuple[bytes, Ints, Ints] | None = None

    def __len__(self) -> int:
        """The number of ids."""
        return len(self._examples)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """One id, or several."""
        data, places, sizes = self._read()
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        return data[places[index] : places[index] + sizes[index]].decode()

    def __iter__(self) -> Iterator[str]:
        """Yield all ids in order."""
        return (self[index] for index in range(len(self)))

    def _read(self) -> tuple[bytes, Ints, Ints]:
        if self._held is None:
            order, data = self._examples.by_context(), bytearray()
            places, sizes = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
            for position, example in zip(order.tolist(), self._examples.stored_order(), strict=True):
                id = example.id.encode()
                places[position], sizes[position] = len(data), len(id)
                data += id
            self._held = bytes(data), places, sizes
        return self._held


class _Tables:
    """Where the texts of an entry are."""

    def __init__(self, entry: Entry) -> None:
        self.row_place, self.row_size = entry.array("row_place"), entry.array("row_size")
        self.context_number, self.is_impossible = entry.array("context_number"), entry.array("is_impossible")
        self.context_place, self.context_size = entry.array("context_place"), entry.array("context_size")
        self.context_digest = entry.array("context_digest")


def _example(row: bytes, context: str) -> Example:
    id, title, question, answers = json.loads(row.decode())
    return Example(id, title, context, question, tuple(Answer(text, start_char) for text, start_char in answers))
