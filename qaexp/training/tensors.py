"""Nested state as tensors and JSON, without pickle: split into the two files of a checkpoint, and joined again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qaexp.errors import ConfigError, IntegrityError
from qaexp.storage.content import Content

_TENSOR, _PAIRS, _TUPLE, _FLOAT = "tensor", "pairs", "tuple", "float"
# The names that the safetensors format has for torch's types.
_TYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ALIGNMENT = 8


def split_tree(tree: Any) -> tuple[dict[str, Tensor], Any]:
    """Split nested dicts, lists and tuples into their tensors and the rest.

    Args:
        tree: Leaves are tensors, numbers, texts, booleans or None; keys are texts or ints.

    Returns:
        The tensors by name, and a JSON-able tree that refers to them.

    Raises:
        ConfigError: It holds something else; the message names where.

    >>> split_tree({"step": 3, "betas": (0.9, 0.5)})
    ({}, {'pairs': [['step', 3], ['betas', {'tuple': [0.9, 0.5]}]]})
    """
    tensors: dict[str, Tensor] = {}

    def encode(value: Any, place: str) -> Any:
        if isinstance(value, Tensor):
            tensors[place] = value
            return {_TENSOR: place}
        if isinstance(value, Mapping) and all(isinstance(key, str | int) for key in value):
            inside = f"{place}." if place else ""
            return {_PAIRS: [[key, encode(item, f"{inside}{key}")] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            items = [encode(item, f"{place}.{number}") for number, item in enumerate(value)]
            return items if isinstance(value, list) else {_TUPLE: items}
        if isinstance(value, float) and not math.isfinite(value):
            return {_FLOAT: str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ConfigError(
            f"checkpoint: {place} is a {type(value).__name__}, which cannot be stored without pickle; an optimizer's "
            "state_dict may hold tensors, numbers, texts, lists, tuples and dicts"
        )

    return tensors, encode(tree, "")


def join_tree(tensors: Mapping[str, Tensor], encoded: Any) -> Any:
    """Join what `split_tree` split.

    Raises:
        IntegrityError: A tensor is missing, or the tree was not made by `split_tree`.

    >>> join_tree(*split_tree({1: [2.5, None], "x": ()}))
    {1: [2.5, None], 'x': ()}
    """
    if isinstance(encoded, list):
        return [join_tree(tensors, item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    try:
        ((kind, value),) = encoded.items()
        if kind == _TENSOR:
            return tensors[value]
        if kind == _PAIRS:
            return {key: join_tree(tensors, item) for key, item in value}
        if kind == _TUPLE:
            return tuple(join_tree(tensors, item) for item in value)
        if kind == _FLOAT:
            return float(value)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"checkpoint: {str(encoded)[:80]!r} is not a stored state ({error})") from error
    raise IntegrityError(f"checkpoint: {kind!r} is not a kind of stored state")


def tensor_file(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Content:
    """Describe a safetensors file of these tensors; each is copied only while it is written.

    Args:
        tensors: By name.
        metadata: Texts for the header.

    Returns:
        A file that `safetensors` reads; https://github.com/huggingface/safetensors defines the format. The library's
        own writer copies all tensors at once, and orders them by type, which would change the bytes of checkpoints.

    Raises:
        ConfigError: The format does not have a tensor's type.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _TYPE_NAMES:
            raise ConfigError(f"checkpoint: {name} is of type {tensor.dtype}, which cannot be stored")
        end = begin + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)

    def chunks() -> Iterator[memoryview]:
        yield memoryview(len(text).to_bytes(8, "little"))
        yield memoryview(text)
        for tensor in tensors.values():
            if tensor.numel():
                yield _bytes_of(tensor)

    return Content(8 + len(text) + begin, chunks)


def json_file(obj: Any) -> Content:
    """Describe a file of one JSON text; floats are written by repr, so they are read back exactly."""
    text = (json.dumps(obj, allow_nan=False) + "\n").encode()
    return Content(len(text), lambda: iter([memoryview(text)]))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Load a safetensors file that has been verified.

    Raises:
        IntegrityError: It is not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(f"{path}: not a safetensors file: {error}") from error


def _bytes_of(tensor: Tensor) -> memoryview:
    flat: NDArray[np.uint8] = tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy()
    return flat.data
