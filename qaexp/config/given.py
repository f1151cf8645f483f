"""A config that is given whole: one that was printed, stored with a run or written without a defaults list.

Hydra composes it as it composes qaexp's own: the schema first, then its values; a group that is chosen on the command
line, or by what is chosen there, takes the place of its node.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from qaexp.config.conf import CONFIG_NAME, conf_directory

# The name of the primary config that holds what was given.
GIVEN = "qaexp_given"

_CONTENT, _BARE = "qaexp_given_content", "qaexp_given_groups"
_PRESETS = ("experiment", "sweep", "debug")
# Of Hydra's node: what a config may say. The rest Hydra fills in anew at each start.
_OF_HYDRA = ("run", "sweep", "launcher", "sweeper", "mode", "searchpath")


def give(content: Mapping[str, Any]) -> None:
    """Keep a whole config for `GIVEN`.

    Args:
        content: All its keys, interpolations as they were written; and of Hydra's node what it says.
    """
    _store(_CONTENT, {key: value for key, value in content.items() if key != "hydra"} | _hydra(content))
    _store(_BARE, {"defaults": _defaults(content)})


def store_primary(tree: Mapping[str, Any]) -> None:
    """Keep a config that has a defaults list of its own, called like one of qaexp's."""
    ConfigStore.instance().repo.pop(f"{_CONTENT}.yaml", None)
    _store(GIVEN, tree)


def prepare(choices: Callable[[str], Mapping[str, Any]]) -> None:
    """Make the primary config for one composition.

    Args:
        choices: Returns what is chosen of each group, with a primary config in which nothing is.
    """
    if f"{_CONTENT}.yaml" not in ConfigStore.instance().repo:
        return
    chosen = {group for group, choice in choices(_BARE).items() if choice is not None}
    content = OmegaConf.to_container(ConfigStore.instance().load(f"{_CONTENT}.yaml").node)
    bare = OmegaConf.to_container(ConfigStore.instance().load(f"{_BARE}.yaml").node)
    assert isinstance(content, dict)
    assert isinstance(bare, dict)
    _store(GIVEN, {"defaults": bare["defaults"], **_without(content, chosen)})


def _without(content: Mapping[Any, Any], chosen: Collection[str]) -> dict[str, Any]:
    # `sweep` is a node as well as a group of presets, which choose nothing in its place.
    nodes = set(chosen) - set(_PRESETS)
    return {str(key): value for key, value in content.items() if key not in nodes}


def _store(name: str, content: Mapping[str, Any]) -> None:
    ConfigStore.instance().store(name=name, node=OmegaConf.create(dict(content)), provider="qaexp")


def _defaults(content: Mapping[str, Any]) -> list[Any]:
    """The defaults list of qaexp's own config with no choice made, but for Hydra's groups."""
    entries = yaml.safe_load((conf_directory() / f"{CONFIG_NAME}.yaml").read_text("utf-8"))["defaults"]
    groups = [next(iter(entry)) for entry in entries if isinstance(entry, dict)]
    of_hydra = [entry for entry in entries if isinstance(entry, dict) and "override" in next(iter(entry))]
    nodes = [group for group in groups if group not in _PRESETS and "override" not in group]
    return [
        "schema",
        *({group: None} for group in nodes),
        "_self_",
        *({group: None} for group in _PRESETS),
        *of_hydra,
        *_plugins(content),
    ]


def _plugins(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Choose the sweeper whose settings the content has."""
    sweeper = _at(content, "hydra", "sweeper", "_target_")
    for file in sorted((conf_directory() / "hydra" / "sweeper").glob("*.yaml")):
        if sweeper is not None and yaml.safe_load(file.read_text("utf-8"))["_target_"] == sweeper:
            return [{"override hydra/sweeper": file.stem}]
    return []


def _hydra(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says of Hydra, over what qaexp's own says."""
    own = yaml.safe_load((conf_directory() / f"{CONFIG_NAME}.yaml").read_text("utf-8"))["hydra"]
    given = content.get("hydra")
    said = given if isinstance(given, Mapping) else {}
    kept = {key: said[key] for key in _OF_HYDRA if said.get(key) is not None}
    env_set = _at(content, "hydra", "job", "env_set")
    job = {"job": {"env_set": dict(env_set)}} if isinstance(env_set, Mapping) and env_set else {}
    return {"hydra": {**own, **kept, **job}}


def _at(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node
