"""Features on disk: each text's tokens once, and a short record for each window, of which rows are laid out on demand.

Rows of tokens as `Features` holds them would take ten times the room, since questions share contexts and windows
overlap. So what is written is what `EncodedExamples` holds; an entry of the cache has it in the order of the data file,
whatever order examples were drawn in, so that runs with other seeds share it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.cache import features_settings
from qaexp.data.cache_folder import default_cache_dir
from qaexp.data.encoding import EncodedExamples, Encoder, RowFormat, encoder
from qaexp.data.features import Features, features_of, warn_truncated_questions
from qaexp.data.ondisk.entries import Contents, Entry, kept_entry
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.squad import Example
from qaexp.data.tokenization import EncodedTexts, PairTemplate
from qaexp.data.windows import Ints, Windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_log = logging.getLogger("qaexp")
# Raised when a change of the code gives other features, or another file, for the same input.
_FORMAT = "qaexp stored features 1"
_EXAMPLES_AT_ONCE, _CHARACTERS_AT_ONCE = 1024, 4 * 2**20
_SAMPLED_TEXTS = 256
# The place of a text is that of its first byte in the file; offsets of a context's tokens stand apart from its ids.
_RECORD = np.dtype(
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
_ID_BYTES, _OFFSETS_BYTES = 4, 8


def stored_features(
    examples: StoredExamples,
    tokenizer: PreTrainedTokenizerFast,
    *,
    max_length: int,
    doc_stride: int,
    cache_dir: Path | None = None,
) -> tuple[StoredFeatures, bool]:
    """Return the features of `build_features` on disk, and whether they were there.

    Args:
        examples: In any order; features come in the same one.
        tokenizer: As for `build_features`.
        max_length: As for `build_features`.
        doc_stride: As for `build_features`.
        cache_dir: As for `cached_features`.

    Raises:
        ConfigError: As `build_features`.
        DataError: As `build_features`.
        StorageError: The disk has no room for them.
    """
    settings = features_settings(tokenizer, max_length=max_length, doc_stride=doc_stride)
    key = hashlib.sha256(json.dumps([_FORMAT, *settings, examples.digest().hex()]).encode()).hexdigest()
    path = (cache_dir or default_cache_dir()) / "features" / key
    with encoder(tokenizer, max_length=max_length, doc_stride=doc_stride) as made:

        def build(contents: Contents) -> Iterator[bytes]:
            return _chunks(made, examples, contents)

        entry, was_there = kept_entry(path, key, build, num_bytes=_estimate(made, examples))
    features = StoredFeatures(entry, examples.by_context())
    if was_there:
        _log.info("features: %d from the cache, %s", len(features), path)
    else:
        _log.info("features: %d built of %d examples, %s", len(features), len(examples), path)
    warn_truncated_questions(features.num_truncated_questions)
    return features, was_there


def _estimate(made: Encoder, examples: StoredExamples) -> int:
    """About how many bytes the features of examples will take, by the tokens of some of them."""
    some = examples[:: max(1, len(examples) // _SAMPLED_TEXTS)]
    contexts = {example.context for example in some}
    num_characters = sum(len(context.encode()) for context in contexts)
    num_tokens = made.num_tokens([*contexts])
    context_bytes, question_bytes = examples.num_bytes()
    tokens_of_a_byte = num_tokens / max(1, num_characters)
    ids = tokens_of_a_byte * (context_bytes + question_bytes) * _ID_BYTES
    return int(ids + tokens_of_a_byte * context_bytes * _OFFSETS_BYTES + 2 * len(examples) * _RECORD.itemsize)


def _chunks(made: Encoder, examples: StoredExamples, contents: Contents) -> Iterator[bytes]:
    """Yield the tokens and records of all examples in the order of their texts, and fill in the rest."""
    order = examples.by_context()
    place, num_truncated = 0, 0
    record_places, num_records, first_examples = [], [], []
    for first, some in _portions(examples, order):
        encoded = made.encode(some)
        block, records = _block(encoded, place, first)
        yield block
        record_places.append(place + len(block))
        num_records.append(len(records))
        first_examples.append(first)
        yield (data := records.tobytes())
        place += len(block) + len(data)
        num_truncated += encoded.num_truncated_questions
    contents.arrays |= {
        "record_place": np.array(record_places, np.int64),
        "num_records": np.array(num_records, np.int64),
        "first_example": np.array([*first_examples, len(order)], np.int64),
    }
    contents.about = {"row_format": asdict(made.row_format), "num_truncated_questions": num_truncated}


def _portions(examples: StoredExamples, order: Ints) -> Iterator[tuple[int, list[Example]]]:
    """Yield some examples at a time, fewer where their texts are long, each time with the number of the first."""
    for first in range(0, len(order), _EXAMPLES_AT_ONCE):
        some = examples.some(order[first : first + _EXAMPLES_AT_ONCE])
        begin, num_characters = 0, 0
        for place, example in enumerate(some):
            is_new = place == 0 or example.context is not some[place - 1].context
            num_characters += len(example.question) + is_new * len(example.context)
            if num_characters > _CHARACTERS_AT_ONCE and place > begin:
                yield first + begin, some[begin:place]
                begin, num_characters = place, len(example.question) + len(example.context)
        yield first + begin, some[begin:]


def _block(encoded: EncodedExamples, place: int, first_example: int) -> tuple[bytes, NDArray[Any]]:
    """The tokens of a portion as bytes, and the records of its windows.

    Args:
        encoded: The portion.
        place: Where its bytes begin in the file.
        first_example: The number of its first example.
    """
    (questions, question_index), (contexts, context_index) = encoded.questions, encoded.contexts
    windows = encoded.windows
    data = [contexts.ids.tobytes(), contexts.offsets.tobytes(), questions.ids.tobytes()]
    offsets_at = place + len(data[0])
    questions_at = offsets_at + len(data[1])
    begin = contexts.indptr[context_index[windows.example_index]] + windows.begin
    records = np.zeros(len(windows.example_index), _RECORD)
    records["example"] = first_example + windows.example_index
    records["question_place"] = questions_at + _ID_BYTES * questions.indptr[question_index[windows.example_index]]
    records["question_length"] = windows.question_lengths[windows.example_index]
    records["context_place"] = place + _ID_BYTES * begin
    records["offsets_place"] = offsets_at + _OFFSETS_BYTES * begin
    records["context_length"] = windows.end - windows.begin
    records["start"], records["end"] = encoded.start, encoded.end
    return b"".join(data), records


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
        data = self._entry.read(int(self._record_place[chunk]), number * _RECORD.itemsize)
        return np.frombuffer(data, _RECORD)

    def _read(self, rows: NDArray[np.int32], example_index: NDArray[np.int32], *, with_offsets: bool) -> Features:
        chunks = np.searchsorted(self._first_row, rows, side="right") - 1
        places = self._record_place[chunks] + (rows - self._first_row[chunks]) * _RECORD.itemsize
        data = self._entry.texts(places, np.full(len(rows), _RECORD.itemsize))
        return self._laid_out(np.frombuffer(b"".join(data), _RECORD), example_index, with_offsets=with_offsets)

    def _laid_out(self, records: NDArray[Any], example_index: NDArray[np.int32], *, with_offsets: bool) -> Features:
        number = np.arange(len(records))
        question_lengths = records["question_length"].astype(np.int64)
        context_lengths = records["context_length"].astype(np.int64)
        questions = self._ids(records["question_place"], question_lengths)
        contexts = self._ids(records["context_place"], context_lengths)
        offsets = np.zeros((len(contexts), 2), np.int32)
        if with_offsets:
            found = self._entry.texts(records["offsets_place"], _OFFSETS_BYTES * context_lengths)
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
        return np.frombuffer(b"".join(self._entry.texts(places, _ID_BYTES * lengths)), np.int32)


def _texts(lengths: Ints, ids: NDArray[np.int32], offsets: NDArray[np.int32]) -> EncodedTexts:
    return EncodedTexts(np.concatenate([[0], np.cumsum(lengths)]), ids, offsets)


def _row_format(stored: dict[str, Any]) -> RowFormat:
    template = dict(stored["template"])
    for name in ("specials", "special_types"):
        template[name] = tuple(map(tuple, template[name]))
    template["text_types"] = tuple(template["text_types"])
    return RowFormat(PairTemplate(**template), stored["is_question_first"], stored["with_types"])
