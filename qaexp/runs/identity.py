"""What makes two runs the same run: a hash of all that can change the results, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.nodes import with_former
from qaexp.storage.formats import dotted
from qaexp.storage.mix import as_identified

# Rises when a change of the code can change results; it is part of every run's identity.
RESULTS_VERSION = 2

RUN_ID_LENGTH = 8
_EXACT_INTEGERS = 2**53
_SIZES = ("train_size", "dev_size")
_COLUMNS = "columns"
_MIX = "mix"
_RATE = "null_window_rate"


@dataclass(frozen=True, slots=True)
class Identity:
    """All that can change the results of a run.

    Attributes:
        config: The resolved config without its neutral keys.
        data: The fingerprint of the data: sha256 of the files, hub revision or generator version.
        weights: The fingerprint of the weights: sha256 or resolved commit.
        neutral: Dotted keys of the config that cannot change results.
        results_version: The constant of the code that is raised when results change.
        shown: The whole config as files and messages show it, where that differs; None: as it is.
    """

    config: Mapping[str, Any]
    data: Mapping[str, Any]
    weights: Mapping[str, Any]
    neutral: frozenset[str] = frozenset()
    results_version: int = RESULTS_VERSION
    shown: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """The hash that equal runs share, in hex."""
        return hashlib.sha256(canonical_json({"config": self.config, **self.inputs}).encode()).hexdigest()

    @property
    def run_id(self) -> str:
        """The first eight hex digits of the hash."""
        return self.sha256[:RUN_ID_LENGTH]

    @property
    def inputs(self) -> dict[str, Any]:
        """What the identity holds beside the config."""
        return {"data": self.data, "weights": self.weights, "results_version": self.results_version}

    @property
    def shown_inputs(self) -> dict[str, Any]:
        """The inputs as files and messages show them: values of the config as the config shows them."""
        told = (self.shown or {}).get("data", {})
        values = self.config.get("data", {})
        data = {
            key: told[key] if key in told and values.get(key) == value else value for key, value in self.data.items()
        }
        return {**self.inputs, "data": data}

    def changes(self, stored_config: Mapping[str, Any], stored_inputs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Return `{dotted key: (stored value, value now)}` for all that differs from a stored run."""
        # Leaf by leaf: the config and the fingerprints both have a tree `data`.
        stored = {**_leaves(without_keys(sized(stored_config), self.neutral)), **_leaves(stored_inputs)}
        config = self.config if self.shown is None else without_keys(sized(self.shown), self.neutral)
        now = {**_leaves(config), **_leaves(self.shown_inputs)}
        keys = [*now, *(key for key in stored if key not in now)]
        return {key: (stored.get(key), now.get(key)) for key in keys if stored.get(key) != now.get(key)}


def identify(
    config: Mapping[str, Any], neutral: Collection[str], data: Mapping[str, Any], weights: Mapping[str, Any]
) -> Identity:
    """Return the identity of a run of `config` (resolved, JSON-able) on this data with these weights.

    Args:
        config: The whole config.
        neutral: Dotted keys that cannot change results; a key of a group takes the whole group away.
        data: The data's fingerprint.
        weights: The weights' fingerprint.

    >>> one = identify({"name": "a", "seed": 2}, {"name"}, {}, {})
    >>> one.run_id == identify({"seed": 2, "name": "b"}, {"name"}, {}, {}).run_id
    True
    """
    return Identity(without_keys(sized(config), neutral), data, weights, frozenset(neutral))


def sized(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a config in which what means the same is the same.

    A size of 1.0 is null: both take all examples, and the canonical text of a tree does not tell 1.0 from 1, which
    takes one. No names of columns, no mix, and all windows, are as if the keys were not there: so it is in the runs
    that were made before them. A mix is its exact shares, as its files are identified by what they hold. What is built
    has the address that it had in them, too.

    >>> sized({"seed": 1, "data": {"train_size": 1.0, "dev_size": 1}})
    {'seed': 1, 'data': {'train_size': None, 'dev_size': 1}}
    """
    config = with_former(config)
    features = config.get("features")
    if isinstance(features, Mapping) and features.get(_RATE) in (None, 1.0):
        config = {**config, "features": {key: value for key, value in features.items() if key != _RATE}}
    data = config.get("data")
    if not isinstance(data, Mapping):
        return config
    all_of_it = {name: None for name in _SIZES if isinstance(data.get(name), float) and data[name] == 1.0}
    named = {key: value for key, value in data.items() if key not in (_COLUMNS, _MIX) or value}
    if _MIX in named:
        named[_MIX] = as_identified(named[_MIX])
    return {**config, "data": {**named, **all_of_it}}


def without_keys(config: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return a copy of a tree without some dotted keys; a key that is not there is fine.

    >>> without_keys({"trainer": {"lr": 1, "log_every": 5}, "name": "a"}, {"trainer.log_every", "name"})
    {'trainer': {'lr': 1}}
    """
    heads, inner = _by_head(frozenset(keys))
    return {
        name: without_keys(value, inner.get(name, ())) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if name not in heads
    }


@functools.lru_cache(maxsize=256)
def _by_head(keys: frozenset[str]) -> tuple[frozenset[str], Mapping[str, frozenset[str]]]:
    """The keys without a dot, and the rests of the others by their first part."""
    inner: dict[str, set[str]] = {}
    for head, dot, rest in (key.partition(".") for key in keys):
        if dot:
            inner.setdefault(head, set()).add(rest)
    return frozenset(key for key in keys if "." not in key), {head: frozenset(rest) for head, rest in inner.items()}


def canonical_json(value: Any) -> str:
    """Return the one text of a tree: sorted keys, no spaces, ASCII, floats by repr, whole floats as integers.

    Raises:
        ValueError: When a number is NaN or infinite.

    >>> canonical_json({"b": 1.0, "a": [0.1, None, True]})
    '{"a":[0.1,null,true],"b":1}'
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


@functools.cache
def code_hash() -> str:
    """Return what `code_hash_of` gives for qaexp, read once a process; recorded, but no part of the identity."""
    return code_hash_of(Path(__file__).parents[1])


def code_hash_of(root: Path) -> str:
    """Return the sha256 over a package's Python files, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value


def _leaves(tree: Mapping[str, Any]) -> dict[str, Any]:
    return dotted({str(key): _canonical(item) for key, item in tree.items()})
