"""Features on disk: each text's tokens once, and a short record for each window, of which rows are laid out on demand.

Rows of tokens as `Features` holds them would take ten times the room, since questions share contexts and windows
overlap. So what is written is what `EncodedExamples` holds; an entry of the cache has it in the order of the data file,
whatever order examples were drawn in, so that runs with other seeds share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.encoding import EncodedExamples, RowFormat
from qaexp.data.features import Features, features_of
from qaexp.data.ondisk.entries import Entry
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.squad import Example
from qaexp.data.tokenization import EncodedTexts, PairTemplate
from qaexp.data.windows import Ints, Windows

# The place of a text is that of its first byte in the file; offsets of a context's tokens stand apart from its ids.
RECORD = np.dtype(
    [
        ("example", "<i4"),
        ("question_place", "<i8"),
        ("question_length", "<i4"),
        ("context_place", "<i8"),
        ("offsets_place", "<i8"),
        ("context_length", "<i4"),
        ("start", "<i4"),
        ("end", "<i4"),
    ]
)
ID_BYTES, OFFSETS_BYTES = 4, 8


class StoredFeatures:
    """Features of an entry, in the order in which their examples were drawn.

    Attributes:
        lengths: Tokens of each feature, int64 `[num_features]`.
        example_index: int32 `[num_features]`, into the examples drawn; non-decreasing.
        is_null: bool `[num_features]`, whether a window does not hold a whole answer.
        num_truncated_questions: Examples whose question had to be cut.
    """

    def __init__(self, entry: Entry, order: Ints) -> None:
        """Take an entry, and the position at which each of its examples was drawn."""
        self._entry, self._order = entry, order
        self.row_format = _row_format(entry.index["row_format"])
        self.num_truncated_questions = int(entry.index["num_truncated_questions"])
        self._record_place, self._first_example = entry.array("record_place"), entry.array("first_example")
        self._first_row = np.concatenate([[0], np.cumsum(entry.array("num_records"))])
        num_rows = int(self._first_row[-1])
        lengths, example_index = np.empty(num_rows, np.int64), np.empty(num_rows, np.int32)
        is_null = np.empty(num_rows, np.bool_)
        for chunk, (first, last) in enumerate(pairwise(self._first_row.tolist())):
            records = self._records_of(chunk)
            lengths[first:last] = records["question_length"] + records["context_length"]
            example_index[first:last] = order[records["example"]]
            is_null[first:last] = records["start"] < 0
        lengths += self.row_format.template.num_specials
        rows = np.argsort(example_index, kind="stable").astype(np.int32)
        self._take_rows(rows, lengths[rows], example_index[rows], is_null[rows])

    def _take_rows(
        self, rows: NDArray[np.int32], lengths: Ints, examples: NDArray[np.int32], null: NDArray[np.bool_]
    ) -> None:
        self._rows, self.lengths, self.example_index, self.is_null = rows, lengths, examples, null

    def __len__(self) -> int:
        """The number of features."""
        return len(self._rows)

    @property
    def num_tokens(self) -> int:
        """Tokens of all features."""
        return int(self.lengths.sum(dtype=np.int64))

    def kept(self, is_kept: NDArray[np.bool_]) -> StoredFeatures:
        """Those features for which it is true, bool `[num_features]`."""
        found = object.__new__(StoredFeatures)
        found.__dict__ |= self.__dict__
        found._take_rows(self._rows[is_kept], self.lengths[is_kept], self.example_index[is_kept], self.is_null[is_kept])
        return found

    def held(self, indices: Ints) -> tuple[Features, Ints]:
        """Read some features for a batch, without offsets: features in memory, and their numbers there."""
        return self._read(self._rows[indices], self.example_index[indices], with_offsets=False), np.arange(len(indices))

    def whole(self) -> Features:
        """All of them in memory."""
        return self._read(self._rows, self.example_index, with_offsets=True)

    def parts(self, examples: Sequence[Example]) -> Iterator[tuple[Ints, Sequence[Example], Features]]:
        """Yield all examples once, some at a time, in the order of their texts; those with an answer have features.

        Args:
            examples: Those that the features were made of.

        Yields:
            The positions of some examples, these examples, and the features of those with an answer: its
            `example_index` counts them.
        """
        assert isinstance(examples, StoredExamples)
        rows = np.sort(self._rows[~examples.is_impossible[self.example_index]])
        chunk_begin = np.searchsorted(rows, self._first_row)
        for chunk, (begin, end) in enumerate(pairwise(chunk_begin.tolist())):
            first, last = self._first_example[chunk : chunk + 2].tolist()
            records = self._records_of(chunk)[rows[begin:end] - self._first_row[chunk]]
            features = self._laid_out(records, records["example"] - first, with_offsets=True)
            positions = self._order[first:last]
            yield positions, examples.some(positions), features

    def _records_of(self, chunk: int) -> NDArray[Any]:
        number = int(self._first_row[chunk + 1] - self._first_row[chunk])
        data = self._entry.read(int(self._record_place[chunk]), number * RECORD.itemsize)
        return np.frombuffer(data, RECORD)

    def _read(self, rows: NDArray[np.int32], example_index: NDArray[np.int32], *, with_offsets: bool) -> Features:
        chunks = np.searchsorted(self._first_row, rows, side="right") - 1
        places = self._record_place[chunks] + (rows - self._first_row[chunks]) * RECORD.itemsize
        data = self._entry.texts(places, np.full(len(rows), RECORD.itemsize))
        return self._laid_out(np.frombuffer(b"".join(data), RECORD), example_index, with_offsets=with_offsets)

    def _laid_out(self, records: NDArray[Any], example_index: NDArray[np.int32], *, with_offsets: bool) -> Features:
        number = np.arange(len(records))
        question_lengths = records["question_length"].astype(np.int64)
        context_lengths = records["context_length"].astype(np.int64)
        questions = self._ids(records["question_place"], question_lengths)
        contexts = self._ids(records["context_place"], context_lengths)
        offsets = np.zeros((len(contexts), 2), np.int32)
        if with_offsets:
            found = self._entry.texts(records["offsets_place"], OFFSETS_BYTES * context_lengths)
            offsets = np.frombuffer(b"".join(found), np.int32).reshape(-1, 2)
        encoded = EncodedExamples(
            (_texts(question_lengths, questions, np.zeros((len(questions), 2), np.int32)), number),
            (_texts(context_lengths, contexts, offsets), number),
            Windows(question_lengths, number, np.zeros_like(context_lengths), context_lengths),
            records["start"].astype(np.int64),
            records["end"].astype(np.int64),
            self.num_truncated_questions,
        )
        features = features_of(encoded, self.row_format)
        return features.with_examples(example_index)

    def _ids(self, places: Ints, lengths: Ints) -> NDArray[np.int32]:
        return np.frombuffer(b"".join(self._entry.texts(places, ID_BYTES * lengths)), np.int32)


def _texts(lengths: Ints, ids: NDArray[np.int32], offsets: NDArray[np.int32]) -> EncodedTexts:
    return EncodedTexts(np.concatenate([[0], np.cumsum(lengths)]), ids, offsets)


def _row_format(stored: dict[str, Any]) -> RowFormat:
    template = dict(stored["template"])
    for name in ("specials", "special_types"):
        template[name] = tuple(map(tuple, template[name]))
    template["text_types"] = tuple(template["text_types"])
    return RowFormat(PairTemplate(**template), stored["is_question_first"], stored["with_types"])
