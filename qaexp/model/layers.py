"""Which layer a parameter belongs to, for any encoder: what freezing and layer-wise learning rates need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qaexp.errors import ConfigError
from qaexp.errors.advice import named, setting

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Embedding tables by their usual names; `encoder.LayerNorm` is the norm of DeBERTa's relative position embeddings.
_EMBEDDINGS = re.compile(r"emb|\bwte\b|\bwpe\b|\bencoder\.LayerNorm\b")
_LAYER = re.compile(r"\.\d+\.")
HEAD = 0


def is_head(model: PreTrainedModel, name: str) -> bool:
    """Is this parameter part of the question-answering head, that is outside the encoder that was pre-trained?"""
    return not name.startswith(f"{model.base_model_prefix}.")


def is_embedding(model: PreTrainedModel, name: str) -> bool:
    """Is this parameter an embedding table, or a norm or projection of one?"""
    return not is_head(model, name) and not _LAYER.search(name) and _EMBEDDINGS.search(name) is not None


def layers_of(model: PreTrainedModel) -> tuple[str, int]:
    """The name of the module list that holds the encoder's layers, and their number.

    Raises:
        ConfigError: The model has no such list, for example because all its layers share their weights.
    """
    from torch.nn import ModuleList

    number = getattr(model.config, "num_hidden_layers", None)
    for name, module in model.named_modules():
        if isinstance(module, ModuleList) and len(module) == number and not is_head(model, name):
            return name, len(module)
    raise ConfigError(
        f"{type(model).__name__} has no list of {number} layers, so {named('model.freeze_layers')} and "
        f"{named('trainer.layer_decay')} cannot tell its layers apart; set them to 0 and 1"
    )


def depths(model: PreTrainedModel) -> dict[str, int]:
    """How far each parameter lies below the head.

    Returns:
        Parameter name to depth: the head (and a final norm) 0, the top layer 1, the first of n layers n, and the
        embeddings n + 1.
    """
    prefix, number = layers_of(model)
    inside = re.compile(rf"{re.escape(prefix)}\.(\d+)\.")
    found = {}
    for name, _ in model.named_parameters():
        if match := inside.match(name):
            found[name] = number - int(match[1])
        elif is_embedding(model, name):
            found[name] = number + 1
        else:
            found[name] = HEAD
    return found


def freeze(model: PreTrainedModel, *, embeddings: bool, layers: int) -> None:
    """Take parameters out of training.

    Args:
        model: Changed in place: `requires_grad` becomes False.
        embeddings: Freeze the embeddings.
        layers: Freeze the first n layers, and the embeddings below them.

    Raises:
        ConfigError: The model has fewer layers.
    """
    if not embeddings and not layers:
        return
    number = layers_of(model)[1]
    if layers > number:
        raise ConfigError(
            f"{setting('model.freeze_layers', str(layers))} is more than the {number} layers of "
            f"{type(model).__name__}; lower it"
        )
    depth_of = depths(model)
    for name, parameter in model.named_parameters():
        if depth_of[name] > number - layers:
            parameter.requires_grad_(False)
