"""The default config as plain values, composed by Hydra: what defaults.json holds, and readers of runs compare with.

python -m qaexp.config.defaults > qaexp/config/defaults.json
"""

from __future__ import annotations

import json
from typing import Any, cast

from qaexp.nodes import without_unnamed
from qaexp.storage.formats import dotted


def composed_leaves() -> dict[str, Any]:
    """Return the values of the default config, as runs store it, by dotted key, and its choices by group."""
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
