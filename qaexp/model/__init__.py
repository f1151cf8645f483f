"""The model: a checkpoint's name becomes a tokenizer and weights with a question-answering head."""

from qaexp.model.checkpoint import Checkpoint, LoadedModel

__all__ = ["Checkpoint", "LoadedModel"]
