"""logits.safetensors: written as its parts come, and read by stretches of features, so that it is never held whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.data.features import Features
from qaexp.errors import IntegrityError
from qaexp.evaluation.logits import Logits, LogitSource
from qaexp.storage.content import Content
from qaexp.storage.reading import opened_file
from qaexp.storage.scratch import read_at

# In the order of the safetensors library: by type, then by name. One row a token, or a feature.
_TOKEN_TENSORS = ("end_logits", "start_logits", "feature_index", "offset_mapping")
_TENSORS = (
    *("end_logits", "start_logits"),
    *("context_begin", "context_end", "example_index", "feature_index", "null_position", "offset_mapping"),
)
_TYPES = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}
_BYTES = 4
_ALIGNMENT = 8
_MAX_HEADER_BYTES = 2**16
# Tokens that are written or read together.
_TOKENS_AT_ONCE = 2**20

Column = npt.NDArray[Any]


def logits_content(features: Features, logits: LogitSource) -> Content:
    """The content of logits.safetensors, byte for byte as the library of that name writes it.

    Tensors: start_logits and end_logits, float32 [num_tokens], all features concatenated, unpadded;
    feature_index, int32 [num_tokens], the feature of each token; and the fields of the features that decoding reads.
    """
    header = _header(len(features), features.num_tokens)

    def chunks() -> Iterator[memoryview]:
        yield memoryview(header)
        for name in _TENSORS:
            for begin, end in _stretches(features.indptr) if name in _TOKEN_TENSORS else [(0, len(features))]:
                if len(rows := np.ascontiguousarray(_rows(name, features, logits, begin, end))):
                    yield rows.data.cast("B")

    return Content(len(header) + _num_bytes(len(features), features.num_tokens), chunks)


def logits_bytes(num_features: int, num_tokens: int) -> int:
    """The size of logits.safetensors in bytes."""
    return len(_header(num_features, num_tokens)) + _num_bytes(num_features, num_tokens)


def _rows(name: str, features: Features, logits: LogitSource, begin: int, end: int) -> Column:
    """The rows of a tensor for the features from `begin` to `end` (exclusive)."""
    if name in ("start_logits", "end_logits"):
        part = logits.part(begin, end)
        return part.start if name == "start_logits" else part.end
    if name == "feature_index":
        return np.repeat(np.arange(begin, end, dtype=np.int32), np.diff(features.indptr[begin : end + 1]))
    if name == "offset_mapping":
        return features.offset_mapping[features.indptr[begin] : features.indptr[end]]
    found: Column = getattr(features, name)
    return found


def _stretches(indptr: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut features into stretches of about equally many tokens."""
    begin, num_features = 0, len(indptr) - 1
    while begin < num_features:
        end = int(np.searchsorted(indptr, indptr[begin] + _TOKENS_AT_ONCE, side="right")) - 1
        end = min(max(end, begin + 1), num_features)
        yield begin, end
        begin = end


def _shape(name: str, num_features: int, num_tokens: int) -> list[int]:
    if name not in _TOKEN_TENSORS:
        return [num_features]
    return [num_tokens, 2] if name == "offset_mapping" else [num_tokens]


def _num_bytes(num_features: int, num_tokens: int) -> int:
    return sum(_BYTES * int(np.prod(_shape(name, num_features, num_tokens))) for name in _TENSORS)


def _header(num_features: int, num_tokens: int) -> bytes:
    """The length of the table of tensors, and the table."""
    table, begin = {}, 0
    for name in _TENSORS:
        shape = _shape(name, num_features, num_tokens)
        end = begin + _BYTES * int(np.prod(shape))
        kind = "F32" if name.endswith("_logits") else "I32"
        table[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


@dataclass(frozen=True, slots=True, eq=False)
class LogitsFile:
    """An open logits.safetensors.

    Attributes:
        indptr: Where the tokens of each feature begin, int64 `[num_features + 1]`.
        columns: The tensors with a row for each feature.
        descriptor: Of the open file.
        places: Where the tensors with a row for each token begin, in bytes.
    """

    indptr: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[np.int32]]
    descriptor: int
    places: dict[str, int]

    def part(self, begin: int, end: int, first_example: int) -> tuple[Features, Logits]:
        """Read the features from `begin` to `end` (exclusive), whose examples count from `first_example`.

        Token ids and labels, which decoding does not read, are zero.
        """
        head, tail = int(self.indptr[begin]), int(self.indptr[end])
        own = {name: column[begin:end] for name, column in self.columns.items()}
        own["example_index"] = own["example_index"] - np.int32(first_example)
        indptr, zeros = self.indptr[begin : end + 1] - head, np.zeros(tail - head, np.int32)
        features = Features(
            indptr=indptr,
            input_ids=zeros,
            token_type_ids=zeros.astype(np.uint8),
            offset_mapping=self._tokens("offset_mapping", 2 * head, 2 * tail, "I32").reshape(-1, 2),
            start_position=own["null_position"],
            end_position=own["null_position"],
            num_truncated_questions=0,
            **own,
        )
        start, end_logits = (self._tokens(name, head, tail, "F32") for name in ("start_logits", "end_logits"))
        return features, Logits(indptr, start, end_logits)

    def _tokens(self, name: str, head: int, tail: int, kind: str) -> Column:
        return _read(self.descriptor, self.places[name] + _BYTES * head, tail - head, kind)


@contextmanager
def opened_logits(path: Path) -> Iterator[LogitsFile]:
    """Open logits.safetensors for a body that reads it.

    Raises:
        FileNotFoundError: There is none.
        IntegrityError: It is not such a file.
    """
    with opened_file(path) as file:
        descriptor = file.fileno()
        try:
            found = _described(descriptor)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path} cannot be read ({error}); run qaexp verify, or train again") from error
        yield found


def _described(descriptor: int) -> LogitsFile:
    num_bytes = os.fstat(descriptor).st_size
    length = int.from_bytes(_bytes_at(descriptor, 0, _ALIGNMENT), "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"its header has {length} bytes")
    table = json.loads(_bytes_at(descriptor, _ALIGNMENT, length))
    num_features, num_tokens = (table[name]["shape"][0] for name in ("example_index", "feature_index"))
    if not all(type(number) is int and 0 <= number <= num_bytes for number in (num_features, num_tokens)):
        raise ValueError(f"its tensors cannot have {num_features} and {num_tokens} rows")
    places = {}
    for name in _TENSORS:
        begin, end = table[name]["data_offsets"]
        shape, kind = _shape(name, num_features, num_tokens), "F32" if name.endswith("_logits") else "I32"
        places[name] = _ALIGNMENT + length + begin
        size = _BYTES * int(np.prod(shape))
        if [table[name]["dtype"], table[name]["shape"], end - begin] != [kind, shape, size] or begin < 0:
            raise ValueError(f"its tensor {name} is not {kind} {shape}")
        if places[name] + size > num_bytes:
            raise ValueError(f"its tensor {name} ends behind the end of the file")
    columns = {
        name: _read(descriptor, places[name], num_features, "I32") for name in _TENSORS if name not in _TOKEN_TENSORS
    }
    counts = _counts(descriptor, places["feature_index"], num_tokens, num_features)
    return LogitsFile(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), columns, descriptor, places)


def _counts(descriptor: int, place: int, num_tokens: int, num_features: int) -> npt.NDArray[np.int64]:
    """The number of tokens of each feature, from the feature of each token."""
    counts, last = np.zeros(num_features, np.int64), 0
    for head in range(0, num_tokens, _TOKENS_AT_ONCE):
        index = _read(descriptor, place + _BYTES * head, min(_TOKENS_AT_ONCE, num_tokens - head), "I32")
        if index[0] < last or index[-1] >= num_features or (np.diff(index) < 0).any():
            raise ValueError("its feature_index is not in order")
        last = int(index[-1])
        counts[index[0] : last + 1] += np.bincount(index - index[0])
    return counts


def _read(descriptor: int, place: int, num: int, kind: str) -> Column:
    found = np.empty(num, _TYPES[kind])
    if num:
        read_at(descriptor, place, found.data.cast("B"))
    return found


def _bytes_at(descriptor: int, place: int, num: int) -> bytes:
    found = bytearray(num)
    read_at(descriptor, place, memoryview(found))
    return bytes(found)
