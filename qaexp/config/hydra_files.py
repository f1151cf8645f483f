"""What a run keeps of Hydra beside its own config.json: the three files of `.hydra/`, as trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qaexp.nodes import without_unnamed


def task_words(settings: Any) -> tuple[str, ...]:
    """The override lines of a job as they were typed: read one by one, OmegaConf would resolve what is in them.

    Args:
        settings: Hydra's node.
    """
    return tuple(map(str, _plain(settings.overrides.task)))


def hydra_trees(composed: DictConfig, settings: Any, words: Sequence[str]) -> dict[str, Any]:
    """Return the content of each file by its name, nothing resolved; text they become once secrets are out of them.

    Args:
        composed: The config without Hydra's node.
        settings: Hydra's node.
        words: The override lines.
    """
    return {
        "config.yaml": without_unnamed(_plain(composed)),
        "hydra.yaml": {"hydra": _plain(settings)},
        "overrides.yaml": [str(word) for word in words],
    }


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False, enum_to_str=True)
