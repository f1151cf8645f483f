"""The bytes of an entry of examples: each context once, and where each text stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.ondisk.entries import Contents
from qaexp.data.squad import Example

_BYTES_AT_ONCE = 2**20


def stored_chunks(examples: Iterable[Example], contents: Contents) -> Iterator[bytes]:
    """Yield the bytes of an entry of examples, and fill in its arrays.

    Args:
        examples: They are taken one after the other, and not held.
        contents: Takes the arrays.
    """
    texts = _Texts()
    for example in examples:
        texts.add(example)
        if texts.num_pending >= _BYTES_AT_ONCE:
            yield texts.taken()
    yield texts.taken()
    contents.arrays |= texts.arrays()


class _Texts:
    """The texts of examples, with the place of each."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self.num_pending, self._place = 0, 0
        self._numbers: dict[bytes, int] = {}
        self._latest: tuple[str, int] = ("", -1)
        self._rows, self._contexts = _Growing(np.int64, np.int32), _Growing(np.int64, np.int32)
        self._of_rows, self._digests = _Growing(np.int32, np.bool_), _Growing("V16")

    def add(self, example: Example) -> None:
        if example.context != self._latest[0] or self._latest[1] < 0:
            self._latest = (example.context, self._number(example.context.encode()))
        answers = [(answer.text, answer.start_char) for answer in example.answers]
        row = json.dumps([example.id, example.title, example.question, answers], ensure_ascii=False).encode()
        self._rows.add(self._put(row), len(row))
        self._of_rows.add(self._latest[1], example.is_impossible)

    def _number(self, context: bytes) -> int:
        digest = hashlib.blake2b(context, digest_size=16).digest()
        number = self._numbers.setdefault(digest, len(self._numbers))
        if number == len(self._contexts):
            self._contexts.add(self._put(context), len(context))
            self._digests.add(digest)
        return number

    def _put(self, text: bytes) -> int:
        place = self._place
        self._pending.append(text)
        self._place, self.num_pending = place + len(text), self.num_pending + len(text)
        return place

    def taken(self) -> bytes:
        block = b"".join(self._pending)
        self._pending, self.num_pending = [], 0
        return block

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        row_place, row_size = self._rows.arrays()
        context_place, context_size = self._contexts.arrays()
        context_number, is_impossible = self._of_rows.arrays()
        return {
            "row_place": row_place,
            "row_size": row_size,
            "context_place": context_place,
            "context_size": context_size,
            "context_number": context_number,
            "is_impossible": is_impossible,
            "context_digest": self._digests.arrays()[0],
        }


class _Growing:
    """Columns that grow row by row, without a Python object for each value."""

    def __init__(self, *kinds: Any) -> None:
        self._kinds = kinds
        self._full: list[list[NDArray[Any]]] = []
        self._rows: list[tuple[Any, ...]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, *row: Any) -> None:
        self._rows.append(row)
        self._length += 1
        if len(self._rows) == 2**16:
            self._shrink()

    def _shrink(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else [() for _ in self._kinds]
        self._full.append([np.array(column, kind) for column, kind in zip(columns, self._kinds, strict=True)])
        self._rows = []

    def arrays(self) -> list[NDArray[Any]]:
        self._shrink()
        return [np.concatenate(column) for column in zip(*self._full, strict=True)]
