"""A config with other plain values at some of its keys: composed once, each value read once, each whole checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.compose import check, finished
from qaexp.config.guards.interpolations import bounded
from qaexp.config.leaf import changed_leaf
from qaexp.config.origins import Place, all_origins
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import QaexpError

_KEY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
# What depends on the same keys whatever their values are: a key by its whole name, a variable of the environment.
_FIXED = re.compile(r"\$\{(?:oc\.env:[^${}]*|[A-Za-z_]\w*(?:\.\w+)*)\}")


@dataclass(frozen=True, slots=True)
class Change:
    """What another value at a key changes.

    Attributes:
        values: The values of the checked config by their places: that of the key, and of the keys that follow it.
        stored: The value as the composed config has it.
    """

    values: Mapping[Place, Any]
    stored: Any


class Variants:
    """The configs that a composed one would be with other values; its composition by Hydra is not repeated."""

    def __init__(self, composed: DictConfig, config: ExperimentConfig) -> None:
        """Take a config.

        Args:
            composed: The config without Hydra's node, not resolved. It is held, and the same after each call.
            config: What `to_config` made of it.
        """
        self._composed, self._config = composed, config
        self._origins = all_origins(composed)
        self._is_fixed = _is_fixed(OmegaConf.to_container(composed, resolve=False))
        self._changes: dict[tuple[str, str], Change | None] = {}

    def change(self, key: str, value: Any) -> Change | None:
        """Say what a plain value at a key changes; None where only composing the whole config tells.

        Args:
            key: The dotted key.
            value: None, a truth value, a number, a text, or a list of such.
        """
        known = (key, f"{type(value).__name__} {value!r}")
        if known not in self._changes:
            self._changes[known] = self._found(key, value) if self._is_fixed and is_plain(value) else None
        return self._changes[known]

    def config(self, changes: Mapping[str, Change]) -> ExperimentConfig | None:
        """Return the checked config that has several changes at once; None where they meet at a key.

        Args:
            changes: By the key that was given another value.

        Raises:
            ConfigError: With every problem that was found.
            IntegrityError: It names an object that no config may name.
        """
        values: dict[Place, Any] = {}
        for change in changes.values():
            if not values.keys().isdisjoint(change.values):
                return None
            values |= change.values
        config: ExperimentConfig = _replaced(self._config, values)
        check(config, self._origins)
        return config

    def _found(self, key: str, value: Any) -> Change | None:
        if _KEY.fullmatch(key) is None:
            return None
        try:
            with changed_leaf(self._composed, key, value) as parent, bounded():
                if parent is None:
                    return None
                config = OmegaConf.to_object(self._composed)
                assert isinstance(config, ExperimentConfig)
                values = dict(differences(self._config, finished(config, self._origins)))
                inside: Any = OmegaConf.to_container(parent, resolve=False)
                stored = inside[key.rpartition(".")[2]]
        except (OmegaConfBaseException, QaexpError, OtherKeysError):  # composing all of it names what is wrong
            return None
        is_from_outside = any(place[: len(origin)] == origin for place in values for origin in self._origins)
        return None if is_from_outside else Change(values, stored)


def is_plain(value: Any) -> bool:
    """Whether a value is what it says: no mapping, and no text that would be resolved.

    >>> is_plain([1, "a", None]), is_plain("${seed}"), is_plain({"a": 1})
    (True, False, False)
    """
    if isinstance(value, list):
        return all(not isinstance(item, list) and is_plain(item) for item in value)
    return "${" not in value if isinstance(value, str) else value is None or isinstance(value, bool | int | float)


class OtherKeysError(Exception):
    """Two configs do not have the same keys."""


def _is_fixed(tree: Any) -> bool:
    """Whether the keys that any value of a tree depends on are known from its text."""
    if isinstance(tree, Mapping):
        return all(map(_is_fixed, tree.values()))
    if isinstance(tree, list):
        return all(map(_is_fixed, tree))
    return not isinstance(tree, str) or "${" not in _FIXED.sub("", tree)


def differences(one: Any, other: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield each place at which another config differs, with its value there; a list is a value.

    Args:
        one: A config, a node of one, or either as plain types.
        other: The other one.
        place: What the places begin with.

    Raises:
        OtherKeysError: Their nodes do not have the same keys.

    >>> list(differences({"a": 1, "b": {"c": 1}}, {"a": 1.0, "b": {"c": 1}}))
    [(('a',), 1.0)]
    """
    if type(one) is not type(other):
        yield place, other
    elif is_dataclass(one) or isinstance(one, dict):
        before, after = (_items(node) for node in (one, other))
        if before.keys() != after.keys():
            raise OtherKeysError
        for key, value in before.items():
            yield from differences(value, after[key], (*place, key))
    elif repr(one) != repr(other):  # 1 is not 1.0 here
        yield place, other


def _items(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {item.name: getattr(node, item.name) for item in fields(node)}


def _replaced(node: Any, values: Mapping[Place, Any]) -> Any:
    """A config with other values at some places; what is not on the way to one of them is shared."""
    if () in values:
        return values[()]
    heads = dict.fromkeys(place[0] for place in values)
    inner = {
        head: _replaced(_items(node)[head], {place[1:]: value for place, value in values.items() if place[0] == head})
        for head in heads
    }
    return {**node, **inner} if isinstance(node, dict) else replace(node, **inner)
