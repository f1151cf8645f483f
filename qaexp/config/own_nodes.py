"""Nodes of the user's own classes may have keys of their own; the nodes of qaexp's classes have those of the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, field, fields, make_dataclass
from typing import Any

from omegaconf import MISSING, DictConfig, Node, OmegaConf

from qaexp.config.checks.suggest import offered
from qaexp.config.guards.targets import ADDRESSES, TARGET, users_prefixes
from qaexp.config.schema import OPEN_NODES, ExperimentConfig
from qaexp.nodes import public

# The typed nodes that name what is built.
OWN_NODES = ("data", "features", "batches", "model", "trainer", "decoding", "reporter")


def schema_node() -> DictConfig:
    """The schema as a config; the nodes that may be the user's own take keys that it does not declare."""
    node: DictConfig = OmegaConf.structured(ExperimentConfig)
    for name in OWN_NODES:
        OmegaConf.set_struct(node[name], False)
    return node


def is_own(target: object) -> bool:
    """Say whether a node of this target is the user's own, by what the process was started with."""
    return isinstance(target, str) and "${" not in target and target.startswith(users_prefixes())


def may_have_more(composed: DictConfig, key: str) -> bool:
    """Say whether a key may be added: its node is open, or the user's own.

    Args:
        composed: A config, not resolved.
        key: The dotted key.
    """
    root, _, rest = key.partition(".")
    node = composed._get_node(root, validate_access=False) if root in OWN_NODES else None
    target = node._get_node(TARGET) if isinstance(node, DictConfig) and not node._is_none() else None
    return bool(rest) and (root in OPEN_NODES or (isinstance(target, Node) and is_own(target._value())))


def own_keys(node: object, kind: str) -> list[str]:
    """The keys of a node that the schema does not declare.

    Args:
        node: A mapping, or what OmegaConf made of one: it keeps such keys as attributes.
        kind: The node's name.
    """
    known = {item.name for item in fields(_type_of(kind))}
    found = node if isinstance(node, Mapping) else vars(node)
    return [str(key) for key in found if str(key) not in known]


def unknown_keys(whole: Mapping[str, Any]) -> Iterator[str]:
    """Name the keys that qaexp's own nodes do not have.

    Args:
        whole: A config as plain types, resolved or not.
    """
    for kind in OWN_NODES:
        node = whole.get(kind)
        # A target that no config may name is refused as such.
        if isinstance(node, Mapping) and public(node.get(TARGET, "")) in (*ADDRESSES[kind], "", None, MISSING):
            declared = [f"{kind}.{item.name}" for item in fields(_type_of(kind))]
            for key in own_keys(node, kind):
                yield (
                    f"{kind}.{key} is not a key{offered(f'{kind}.{key}', declared)} (only a class of your own may have "
                    "keys of its own)"
                )


def with_own_keys(config: ExperimentConfig) -> None:
    """Let the nodes that have keys of their own be dataclasses of all their keys, as whoever stores them expects."""
    for kind in OWN_NODES:
        node = getattr(config, kind)
        if own_keys(node, kind):
            setattr(config, kind, _rebuilt(kind, dict(vars(node))))


def _type_of(kind: str) -> Any:
    return next(item.default_factory for item in fields(ExperimentConfig) if item.name == kind)


def _rebuilt(kind: str, values: Mapping[str, Any]) -> Any:
    """A node with all of these keys; what unpickles such a node in a child calls this again."""
    declared = _type_of(kind)
    names = [key for key in values if key not in {item.name for item in fields(declared)}]
    made = make_dataclass(
        declared.__name__,
        [(name, Any, field(default=None)) for name in names],
        bases=(declared,),
        namespace={"__reduce__": lambda self: (_rebuilt, (kind, asdict(self)))},
    )
    return made(**values)
