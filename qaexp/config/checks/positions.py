"""How long a feature may be: the position limit of a checkpoint, read from its config.json without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.errors.advice import setting, the_model
from qaexp.storage.model_places import package_folder, place_of

# Model types whose first token has the position padding_idx + 1.
_COUNT_FROM_PADDING = (
    "roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "data2vec-text", "ibert", "lilt",
    "longformer", "luke", "markuplm", "mpnet", "xmod",
)  # fmt: skip


def checkpoint_folder(checkpoint: str) -> Path | None:
    """The folder that a checkpoint names, or None for a hub id; packages are found, not imported.

    >>> checkpoint_folder("distilbert/distilbert-base-uncased") is None
    True
    """
    checkpoint = checkpoint.partition("#")[0]
    if place_of(checkpoint) == "package":
        return package_folder(checkpoint)
    folder = Path(checkpoint).expanduser()
    if (folder / "run.json").is_file():
        return folder / "model"
    return folder if folder.is_dir() else None


def position_limit(config_json: Mapping[str, Any]) -> int | None:
    """The longest feature that a checkpoint's position embeddings allow, or None when it has no such limit.

    The RoBERTa family counts positions from padding_idx + 1, so that 514 positions hold 512 tokens.

    >>> position_limit({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1})
    512
    >>> position_limit({"model_type": "bert", "max_position_embeddings": 512})
    512
    >>> relative = {"model_type": "deberta-v2", "max_position_embeddings": 512, "position_biased_input": False}
    >>> position_limit(relative) is None
    True
    """
    positions = config_json.get("max_position_embeddings")
    # XLNet, which has none, says -1.
    if not isinstance(positions, int) or isinstance(positions, bool) or positions < 1:
        return None
    if config_json.get("position_biased_input") is False:
        return None
    if config_json.get("model_type") in _COUNT_FROM_PADDING:
        return positions - int(config_json.get("pad_token_id", 1)) - 1
    return positions


def length_problem(max_length: int, limit: int | None, checkpoint: str) -> str | None:
    """Say why features of a length are too long for a checkpoint, if they are.

    Args:
        max_length: Tokens of a feature.
        limit: What `position_limit` gives.
        checkpoint: The checkpoint, for the sentence.
    """
    if limit is None or max_length <= limit:
        return None
    return (
        f"{setting('features.max_length', str(max_length))} is more than the {limit} positions of "
        f"{the_model(checkpoint)}; lower it to at most {limit}"
    )
