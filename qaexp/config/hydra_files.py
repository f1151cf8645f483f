"""What a run keeps of Hydra beside its own config.json: the three files of `.hydra/`, as trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf


def hydra_trees(composed: DictConfig, settings: Any, words: Sequence[str]) -> dict[str, Any]:
    """Return the content of each file by its name, nothing resolved; text they become once secrets are out of them.

    Args:
        composed: The config without Hydra's node.
        settings: Hydra's node.
        words: The override lines.
    """
    return {
        "config.yaml": _plain(composed),
        "hydra.yaml": {"hydra": _plain(settings)},
        "overrides.yaml": [str(word) for word in words],
    }


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False, enum_to_str=True)
