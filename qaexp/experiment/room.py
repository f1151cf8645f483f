"""Whether the disk has room for what a run is sure to leave, asked before it trains."""

from __future__ import annotations

from collections.abc import Mapping

from qaexp.data.features import Features
from qaexp.data.ondisk.features import StoredFeatures
from qaexp.errors.advice import lower
from qaexp.evaluation.logits_file import logits_bytes
from qaexp.evaluation.outputs import MIN_RECORD_BYTES
from qaexp.evaluation.shards import TOKENS_PER_SHARD
from qaexp.experiment.parts import Parts
from qaexp.runs.writing.run import Run
from qaexp.storage.room import check_room

# Half of what a weight takes in model/: a checkpoint may hold heads that the model has no use for.
_BYTES_OF_A_WEIGHT = 2
_BYTES_OF_LOGITS = 8


def check_disk(
    run: Run, parts: Parts, features: Mapping[str, Features | StoredFeatures], num_dev_examples: int
) -> None:
    """Refuse a run whose files cannot fit, by what is sure to lie on the disk at its end.

    Raises:
        StorageError: With what is needed, what is free, and the folder.
    """
    if not run.is_main:
        return
    stored = getattr(parts.checkpoint, "num_stored", None)
    weights = _BYTES_OF_A_WEIGHT * (stored or 0)
    needed = {
        "logits": logits_bytes(len(features["dev"]), features["dev"].num_tokens),
        "logits while answering": sum(_on_disk(found) for name, found in features.items() if name != "train"),
        "predictions": MIN_RECORD_BYTES * num_dev_examples,
        "model": weights,
        "checkpoint": 0 if run.checkpoint is not None or not _trains(parts) else weights,
    }
    check_room(run.directory, needed, f"choose a folder on another disk, or {lower('data.dev_size')}")


def _on_disk(features: Features | StoredFeatures) -> int:
    """The bytes of logits that memory does not hold."""
    return _BYTES_OF_LOGITS * features.num_tokens if features.num_tokens > TOKENS_PER_SHARD else 0


def _trains(parts: Parts) -> bool:
    """Whether there is a step, after which there is a checkpoint."""
    return parts.training.epochs > 0 and parts.training.max_steps != 0
