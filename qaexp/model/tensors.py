"""Weights in the safetensors format, hashed as they are read: the tensors are made of the very bytes of the hash."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import IntegrityError
from qaexp.model.folder import open_regular
from qaexp.storage.reading import MEBIBYTE

if TYPE_CHECKING:
    from torch import Tensor

# A tensor takes about a hundred bytes of a header, and the largest models have some ten thousand.
_MAX_HEADER_BYTES = 8 * MEBIBYTE
_LENGTH_BYTES = 8
_ALIGNMENT = 64
# The names of safetensors, those of torch, and the bytes of one number.
_DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tensor as the header tells it; `begin` and `end` count bytes behind the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def count_numbers(files: list[Path]) -> int:
    """How many numbers safetensors files hold, from their headers alone.

    Raises:
        IntegrityError: As `read_tensors`.
    """
    total = 0
    for path in files:
        with open_regular(path) as stream:
            total += sum(math.prod(entry.shape) for entry in _read_header(path, stream)[1])
    return total


def read_tensors(files: list[Path]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors, each into memory of its own.

    Args:
        files: The safetensors files.

    Returns:
        The tensors by name, and the sha256 of each file's bytes by the file's name.

    Raises:
        IntegrityError: A file cannot be read, is no safetensors file, or its header does not fit its bytes.
    """
    tensors: dict[str, Tensor] = {}
    hashes = {}
    for path in files:
        with open_regular(path) as stream:
            start, entries = _read_header(path, stream)
            digest = hashlib.sha256(start)
            for entry in entries:
                if entry.name in tensors:
                    raise _refused(path, f"it holds {entry.name!r:.80}, which another file holds too")
                tensors[entry.name] = _read_tensor(path, stream, entry, digest)
            hashes[path.name] = digest.hexdigest()
    return tensors, hashes


def _read_tensor(path: Path, stream: BufferedReader, entry: _Entry, digest: Any) -> Tensor:
    import torch

    dtype, num_bytes = getattr(torch, _DTYPES[entry.dtype][0]), entry.end - entry.begin
    if not num_bytes:
        return torch.empty(entry.shape, dtype=dtype)
    # The last bits of a product depend on where its numbers lie: here, as in a file that is mapped into memory.
    buffer = torch.empty(num_bytes + _ALIGNMENT, dtype=torch.uint8)
    first = (stream.tell() - buffer.data_ptr()) % _ALIGNMENT
    place = buffer[first : first + num_bytes]
    view = memoryview(place.numpy().data)
    if stream.readinto(view) != num_bytes:
        raise _refused(path, "it ended while it was read")
    digest.update(view)
    # A file whose numbers do not lie at multiples of their size cannot be looked at in place.
    return (place.clone() if first % dtype.itemsize else place).view(dtype).reshape(entry.shape)


def _read_header(path: Path, stream: BufferedReader) -> tuple[bytes, list[_Entry]]:
    """Return the bytes before the first tensor, and the tensors in the order of their bytes, which leave no gap."""
    size = os.fstat(stream.fileno()).st_size
    length = stream.read(_LENGTH_BYTES)
    num_bytes = int.from_bytes(length, "little")
    if len(length) < _LENGTH_BYTES or num_bytes > size - _LENGTH_BYTES:
        raise _refused(path, f"its {size:,} bytes are no safetensors file")
    if num_bytes > _MAX_HEADER_BYTES:
        limit = _MAX_HEADER_BYTES // MEBIBYTE
        raise _refused(path, f"its header has {num_bytes / MEBIBYTE:,.0f} MiB, more than the {limit} allowed")
    text = stream.read(num_bytes)
    try:
        header = json.loads(text, object_pairs_hook=_unique_keys)
        entries = [_entry(name, value) for name, value in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else f"{error!s:.100}"
        raise _refused(path, f"its header is not one of a safetensors file: {reason}") from error
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    place = 0
    for entry in entries:
        if entry.begin != place:
            raise _refused(path, f"the bytes of {entry.name!r:.80} do not follow those before it")
        place = entry.end
    if place != size - _LENGTH_BYTES - num_bytes:
        raise _refused(path, f"its tensors take {place:,} bytes, and it has {size - _LENGTH_BYTES - num_bytes:,}")
    return length + text, entries


def _entry(name: str, value: dict[str, Any]) -> _Entry:
    dtype, shape, (begin, end) = value["dtype"], tuple(value["shape"]), value["data_offsets"]
    if dtype not in _DTYPES:
        raise ValueError(f"{name!r:.80} is of the type {dtype!r:.20}, it must be one of {', '.join(_DTYPES)}")
    if not all(type(number) is int and 0 <= number < 2**62 for number in (*shape, begin, end)):
        raise ValueError(f"{name!r:.80} has a shape or a place that is no whole number")
    # A shape without numbers takes no bytes; what else stands in it must fit into an index nevertheless.
    if math.prod(max(number, 1) for number in shape) >= 2**62:
        raise ValueError(f"{name!r:.80} has a shape of more numbers than can be counted")
    if math.prod(shape) * _DTYPES[dtype][1] != end - begin:
        raise ValueError(f"{name!r:.80} has {end - begin} bytes, its shape needs {math.prod(shape)} numbers")
    return _Entry(name, dtype, shape, begin, end)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _refused(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(f"its weights cannot be read: {path}: {reason}; get the files again")
