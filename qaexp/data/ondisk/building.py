"""Builds the features of large data on disk, some examples at a time, and finds those that were built before."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qaexp.data.cache import features_settings
from qaexp.data.cache_folder import default_cache_dir
from qaexp.data.encoding import EncodedExamples, Encoder, encoder
from qaexp.data.features import warn_truncated_questions
from qaexp.data.ondisk.entries import Contents, Size, kept_entry
from qaexp.data.ondisk.examples import StoredExamples
from qaexp.data.ondisk.features import ID_BYTES, OFFSETS_BYTES, RECORD, StoredFeatures
from qaexp.data.squad import Example
from qaexp.data.windows import Ints

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_log = logging.getLogger("qaexp")
# Raised when a change of the code gives other features, or another file, for the same input.
_FORMAT = "qaexp stored features 1"
_EXAMPLES_AT_ONCE, _CHARACTERS_AT_ONCE = 1024, 4 * 2**20
_SAMPLED_TEXTS = 256


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

        entry, was_there = kept_entry(path, key, build, _estimate(made, examples))
    features = StoredFeatures(entry, examples.by_context())
    if was_there:
        _log.info("features: %d from the cache, %s", len(features), path)
    else:
        _log.info("features: %d built of %d examples, %s", len(features), len(examples), path)
    warn_truncated_questions(features.num_truncated_questions)
    return features, was_there


def _estimate(made: Encoder, examples: StoredExamples) -> Size:
    """About how many bytes the features of examples will take, by the tokens of some of them."""
    some = examples[:: max(1, len(examples) // _SAMPLED_TEXTS)]
    contexts = {example.context for example in some}
    num_characters = sum(len(context.encode()) for context in contexts)
    num_tokens = made.num_tokens([*contexts])
    context_bytes, question_bytes = examples.num_bytes()
    tokens_of_a_byte = num_tokens / max(1, num_characters)
    ids = tokens_of_a_byte * (context_bytes + question_bytes) * ID_BYTES
    about = int(ids + tokens_of_a_byte * context_bytes * OFFSETS_BYTES + 2 * len(examples) * RECORD.itemsize)
    return Size(about, about // 2)


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
    records = np.zeros(len(windows.example_index), RECORD)
    records["example"] = first_example + windows.example_index
    records["question_place"] = questions_at + ID_BYTES * questions.indptr[question_index[windows.example_index]]
    records["question_length"] = windows.question_lengths[windows.example_index]
    records["context_place"] = place + ID_BYTES * begin
    records["offsets_place"] = offsets_at + OFFSETS_BYTES * begin
    records["context_length"] = windows.end - windows.begin
    records["start"], records["end"] = encoded.start, encoded.end
    return b"".join(data), records
