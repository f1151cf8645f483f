"""Does the value of an override fit its key: each misfit is one sentence with the kind of value that is wanted."""

from __future__ import annotations

from copy import deepcopy

from omegaconf import BooleanNode, Container, DictConfig, ListConfig, Node, OmegaConf, StringNode
from omegaconf.errors import OmegaConfBaseException

from qaexp.config.checks.open_nodes import kind_problem
from qaexp.config.checks.sentences import misfit_sentence, plain, wanted
from qaexp.config.leaf import changed_leaf
from qaexp.config.schema import OPEN_NODES

_LONGEST_SHOWN = 200


def find_node(composed: DictConfig, key: str) -> object:
    """The node of a dotted key, unresolved; None where there is no such key."""
    node: object = composed
    for part in key.split("."):
        if isinstance(node, ListConfig) and part.isdigit() and int(part) < len(node):
            node = node._get_node(int(part))
        elif isinstance(node, DictConfig) and not node._is_none() and part in node._content:  # type: ignore[operator]
            node = node._get_node(part)
        else:
            return None
    return node


def value_problems(composed: DictConfig, key: str, value: object) -> list[str]:
    """Say why a value cannot be that of a key, if it cannot.

    Args:
        composed: The config that the chosen files make.
        key: A key of it.
        value: What an override gives; an interpolation is looked at once the config is composed.
    """
    if isinstance(value, str) and "${" in value:
        return []
    node = find_node(composed, key)
    assert isinstance(node, Node)
    if isinstance(node, StringNode) and isinstance(value, bool):
        quoted = f"{key}='\"{str(value).lower()}\"'"
        return [f"{key}={value} is a truth value, it must be a text; quote it: {quoted}"]
    given = OmegaConf.to_container(node) if isinstance(node, Container) else node._value()
    problem = kind_problem(key, given, value)
    if problem is not None:
        return [problem]
    if isinstance(node, BooleanNode) and not isinstance(value, bool):
        return [f"{key}={'null' if value is None else value} does not fit, it must be true or false"]
    try:
        with changed_leaf(composed, key, value) as parent:
            missing = _missing_keys(composed, key) if parent is not None else _missing_in_copy(composed, key, value)
    except OmegaConfBaseException as error:
        # Inside a list of mappings the key that does not fit is another one.
        return [misfit_sentence(key, value) if wanted(key) or key in OPEN_NODES else plain(error)]
    return [f"{name} is not set; give it a value" for name in sorted(missing)]


def _missing_in_copy(composed: DictConfig, key: str, value: object) -> set[str]:
    updated = deepcopy(composed)
    OmegaConf.update(updated, key, value, merge=True)
    return _missing_keys(updated, key)


def _missing_keys(composed: DictConfig, key: str) -> set[str]:
    node = find_node(composed, key)
    return OmegaConf.missing_keys(node) if isinstance(node, Container) else set()


def shortened(text: str) -> str:
    """A text that fits into a sentence."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
