"""The default config as plain values, as Hydra composed it into defaults.json: reading it loads no Hydra.

python -m qaexp.config.defaults > qaexp/config/defaults.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from qaexp.nodes import without_unnamed
from qaexp.storage.formats import dotted


def default_leaves() -> dict[str, Any]:
    """Return the values of the default config by dotted key, and its choices by group; interpolations are left out."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("defaults.json").read_text("utf-8"))
    return found


def composed_leaves() -> dict[str, Any]:
    """Return what `default_leaves` returns, composed anew: the config as runs store it."""
    from omegaconf import OmegaConf

    from qaexp.config.compose import compose_with_hydra

    composed = compose_with_hydra([])
    tree: Any = without_unnamed(cast(dict[str, Any], OmegaConf.to_container(composed, resolve=False)))
    choices = reversed(tree.pop("hydra")["runtime"]["choices"].items())
    chosen = {group: choice for group, choice in choices if choice is not None and not group.startswith("hydra/")}
    leaves = {**chosen, **dotted({group: tree.pop(group) for group in chosen}), **dotted(tree)}
    return {key: value for key, value in leaves.items() if not (isinstance(value, str) and "${" in value)}


if __name__ == "__main__":
    print(json.dumps(composed_leaves(), indent=1))
