"""State that went through tensors and JSON comes back as it was, to the bit and to the type."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qaexp.errors import ConfigError, IntegrityError
from qaexp.training.tensors import join_tree, json_file, read_tensors, split_tree, tensor_file

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.lists(st.floats(width=32, allow_nan=False), max_size=4).map(torch.tensor)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=6) | st.integers(0, 99), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def written(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> Path:
    content = tensor_file(tensors, metadata)
    path.write_bytes(b"".join(content.chunks()))
    assert path.stat().st_size == content.num_bytes
    return path


@settings(max_examples=200, deadline=None)
@given(tree=TREES)
def test_any_tree_comes_back(tree: Any) -> None:
    tensors, rest = split_tree(tree)
    assert same(tree, join_tree(tensors, json.loads(json.dumps(rest, allow_nan=False))))


def test_numbers_that_json_lacks_come_back() -> None:
    tensors, rest = split_tree({"a": math.inf, "b": [-math.inf, math.nan]})
    found = join_tree(tensors, json.loads(json.dumps(rest, allow_nan=False)))
    assert found["a"] == math.inf
    assert found["b"][0] == -math.inf
    assert math.isnan(found["b"][1])


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", {(1, 2): 3}, 1j])
def test_what_would_need_pickle_is_refused_by_its_place(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"state\.0\.extra is a .* without pickle"):
        split_tree({"state": [{"extra": value}]})


@pytest.mark.parametrize(
    "encoded", [{"tensor": "missing"}, {"pairs": 3}, {"float": "x"}, {"odd": 1}, {"a": 1, "b": 2}, {"tuple": 3}, {}]
)
def test_a_tree_that_is_none_of_ours_is_refused(encoded: Any) -> None:
    with pytest.raises(IntegrityError):
        join_tree({}, encoded)


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    tensors = {
        "double": torch.randn(3, dtype=torch.float64),
        "half": torch.randn(3).half(),
        "brain": torch.randn(7).bfloat16(),
        "scalar": torch.tensor(1.5),
        "none": torch.zeros(0, 4),
        "turned": torch.randn(4, 6).t(),
        "part": torch.randn(10)[::3],
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "long": torch.tensor([2**62]),
    }
    path = written(tmp_path / "a", tensors, {"format": "pt"})
    theirs = safetensors.torch.load_file(path)
    assert set(theirs) == set(tensors)
    assert all(same(tensors[name].contiguous(), theirs[name]) for name in tensors)
    assert all(same(tensors[name].contiguous(), found) for name, found in read_tensors(path).items())


def test_the_same_bytes_as_the_library_would_hold(tmp_path: Path) -> None:
    """Not the same file (the library sorts by type), but each tensor's bytes."""
    tensors = {"b": torch.randn(3, 3), "a": torch.randn(2)}
    safetensors.torch.save_file(tensors, tmp_path / "theirs")
    ours, theirs = read_tensors(written(tmp_path / "ours", tensors)), read_tensors(tmp_path / "theirs")
    assert all(same(ours[name], theirs[name]) for name in tensors)


def test_a_type_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="complex64"):
        tensor_file({"a": torch.zeros(2, dtype=torch.complex64)})


def test_what_is_no_tensor_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(IntegrityError, match="not a safetensors file"):
        read_tensors(tmp_path / "a")


def test_json_holds_floats_to_the_bit() -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308]
    text = b"".join(json_file(values).chunks())
    assert json.loads(text) == values
