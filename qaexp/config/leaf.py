"""A composed config with another value at one leaf for a while, as an override would give it: no copy of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from omegaconf import DictConfig, Node, OmegaConf


@contextmanager
def changed_leaf(composed: DictConfig, key: str, value: Any) -> Iterator[DictConfig | None]:
    """Give a leaf of a composed config another value for the body.

    Args:
        composed: The config; the same after the body.
        key: The dotted key.
        value: What an override gives.

    Yields:
        The node that the leaf is in; None where the key is none of a leaf, and nothing is changed.

    Raises:
        OmegaConfBaseException: The value does not fit.
    """
    parent_key, _, last = key.rpartition(".")
    parent = OmegaConf.select(composed, parent_key, throw_on_missing=False) if parent_key else composed
    content: Any = parent._content if isinstance(parent, DictConfig) else None
    before = content.get(last) if isinstance(content, dict) else None
    if not isinstance(parent, DictConfig) or not isinstance(before, Node) or isinstance(before, DictConfig):
        yield None
        return
    content[last] = deepcopy(before)
    content[last]._set_parent(parent)
    try:
        OmegaConf.update(composed, key, value, merge=True)
        yield parent
    finally:
        content[last] = before
