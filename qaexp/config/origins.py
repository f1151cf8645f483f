"""Which values of a config came from the environment, by whatever way, and the expression that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from omegaconf import AnyNode, DictConfig, ListConfig, Node
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.guards.interpolations import bounded, watched_environment
from qaexp.config.guards.variables_read import VARIABLES_READ
from qaexp.config.schema import leaves
from qaexp.storage.start import start

# The keys, and the numbers in lists, that lead to a value.
Place = tuple[str, ...]

# Only words of a list are legal there, which reveal nothing; and the name is in the path of the run.
_WORDS = {"name", "trainer.device", "trainer.precision", "trainer.on_nan", "sweep.on_failure"}
_WHOLE_NODES = "trackers"
# No config holds these, so that what is between them in a text came from a variable.
_LEFT, _RIGHT = "\ue000", "\ue001"
_NAMED = re.compile(r"\boc\.env:\s*[\"']?(?P<name>\w+)")
_MARK = re.compile(f"{_LEFT}([^{_LEFT}{_RIGHT}]*){_RIGHT}")


class Origin(NamedTuple):
    """Where a value came from.

    Attributes:
        expression: `${oc.env:DATA}/train.json`, spelt out where other keys come between; else as it was typed.
        variables: The variables that were asked for; a dotted key of Hydra's where it is one of `env_set`.
    """

    expression: str
    variables: tuple[str, ...]


def find_origins(composed: DictConfig) -> dict[Place, Origin]:
    """Find what of a composed config came from the environment.

    Each value is resolved once more while the calls of `oc.env` are noted: its text would not do, since it may name
    another key that names a variable.

    Args:
        composed: The config, not resolved.

    Raises:
        ConfigError: Its interpolations expand to too much.
    """
    words = keys_of_words()
    return {place: origin for place, origin in all_origins(composed).items() if ".".join(place) not in words}


def all_origins(composed: DictConfig) -> dict[Place, Origin]:
    """Find what of a config came from the environment, words of a list and what cannot be resolved among it.

    Raises:
        ConfigError: Its interpolations expand to too much.
    """
    found, words = origins_inside(composed), keys_of_words()
    VARIABLES_READ.update(
        name for place, origin in found.items() if ".".join(place) not in words for name in origin.variables
    )
    return found


def origins_inside(node: object) -> dict[Place, Origin]:
    """Find what of a node inside of a config came from the environment; nothing in what is not a node.

    Raises:
        ConfigError: Its interpolations expand to too much.
    """
    with bounded():
        return dict(_origins(node, (), None)) if isinstance(node, Node) else {}


def keys_of_words() -> set[str]:
    """The dotted keys whose values are stored and shown as they are, wherever they came from."""
    return _WORDS | {name for name, item, _ in leaves() if item.metadata.get("choices")}


def _origins(node: Node, place: Place, outer: Origin | None) -> Iterator[tuple[Place, Origin]]:
    """Walk a node; `outer` is what its container came from, if that came from the environment as a whole."""
    origin = outer
    if node._is_interpolation():
        origin, node = _resolved(node, outer)
    is_whole = origin is not None and place[:1] == (_WHOLE_NODES,)
    if isinstance(node, DictConfig | ListConfig) and not is_whole and not (node._is_none() or node._is_missing()):
        keys: Any = range(len(node)) if isinstance(node, ListConfig) else list(node)
        for key in keys:
            child = node._get_node(key)
            assert isinstance(child, Node)
            yield from _origins(child, (*place, str(key)), origin)
    elif origin is not None:
        yield place, origin


def _resolved(node: Node, outer: Origin | None) -> tuple[Origin | None, Node]:
    """What an interpolation came from, and its value; left alone where it cannot be resolved."""
    typed = str(node._value())
    try:
        with watched_environment() as names:
            found = node._dereference_node()
    except (OmegaConfBaseException, RecursionError):  # whoever needs the value names what is wrong
        names |= {match["name"] for match in _NAMED.finditer(typed)} & set(start().environ)
        found = AnyNode(None)
    if not names:
        return outer, found
    return Origin(_spelt_out(node) or typed, tuple(sorted(names))), found


def _spelt_out(node: Node) -> str | None:
    """The text of an interpolation with variables in place of their values; None where it is not made of texts."""
    try:
        with watched_environment(lambda name: f"{_LEFT}{name}{_RIGHT}"):
            text = node._dereference_node()._value()
    except (OmegaConfBaseException, ValueError):  # of a resolver that wants a number
        return None
    if not isinstance(text, str) or _MARK.search(text) is None:
        return None
    return _MARK.sub(r"${oc.env:\1}", text)
