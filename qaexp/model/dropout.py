"""Set a model's dropout, whatever its family calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# The names that families of encoders use in config.json for what qaexp calls by one name.
_HIDDEN = (
    "hidden_dropout_prob",
    "hidden_dropout",
    "dropout",
    "dropout_rate",
    "qa_dropout",
    "embedding_dropout",
    "mlp_dropout",
    "classifier_dropout",
    "embd_pdrop",
    "resid_pdrop",
)
_ATTENTION = ("attention_probs_dropout_prob", "attention_dropout", "attention_dropout_prob", "attn_pdrop")


def set_dropout(config: PreTrainedConfig, *, hidden: float | None, attention: float | None) -> None:
    """Change the dropout of a model that is about to be built from this config.

    Args:
        config: Changed in place.
        hidden: Dropout of hidden states, also of the embeddings and before the head; None leaves them.
        attention: Dropout of attention weights; None leaves it.

    Raises:
        ConfigError: This family has no such dropout, so that the setting would have no effect.
    """
    settings = (("hidden_dropout", hidden, _HIDDEN), ("attention_dropout", attention, _ATTENTION))
    for key, value, names in settings:
        if value is None:
            continue
        # A name that stands at None (BERT's classifier_dropout) belongs to another task's head.
        own = [name for name in names if getattr(config, name, None) is not None]
        if not own:
            raise ConfigError(
                f"model.{key}={value} has no effect on a {config.model_type} model: its config has none of "
                f"{', '.join(names)}; set it to null"
            )
        for name in own:
            setattr(config, name, float(value))
