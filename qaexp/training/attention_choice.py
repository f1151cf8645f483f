"""Which attention a training uses: the model's own, or the unpadded one of a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from qaexp.errors import ConfigError
from qaexp.errors.advice import set_to, setting
from qaexp.training.masked_dropout import FAMILIES

if TYPE_CHECKING:
    import torch

    from qaexp.config.schema import TrainerConfig

AUTO, PLAIN, UNPADDED = "auto", "plain", "unpadded"


class Attention(NamedTuple):
    """Which attention a training uses: `plain` or `unpadded`, and why not the other where it is plain."""

    word: str
    why: str = ""


def choose_attention(
    settings: TrainerConfig, device: torch.device, architecture: Callable[[], Mapping[str, Any]]
) -> Attention:
    """Turn `trainer.attention` into the attention that is used.

    Args:
        settings: The trainer's; with `trainer.precision=fp32`, `auto` is plain: fp32 keeps the bytes it always gave.
        device: Where the training computes.
        architecture: Tells the model's config.json; asked only where it matters.

    Raises:
        ConfigError: Unpadded attention was asked for by name, and it is not possible here.
    """
    if settings.attention != UNPADDED and settings.precision == "fp32":
        return Attention(PLAIN, "fp32 keeps the bytes that it always gave")
    problem = _obstacle(settings, device, architecture)
    if settings.attention == PLAIN:
        return Attention(PLAIN, problem or "the config says so")
    if problem and settings.attention == UNPADDED:
        way_out = set_to("trainer.attention", AUTO)
        raise ConfigError(f"{setting('trainer.attention', UNPADDED)}, but {problem}; {way_out}")
    return Attention(PLAIN, problem) if problem else Attention(UNPADDED)


def _obstacle(
    settings: TrainerConfig, device: torch.device, architecture: Callable[[], Mapping[str, Any]]
) -> str | None:
    """Why attention cannot be unpadded; None where it can."""
    if device.type != "cpu":
        return f"it is made for a CPU, and the device is {device.type}"
    if settings.compile:
        return "it does not go with torch.compile"
    if settings.gradient_checkpointing:
        return "it does not go with gradient checkpointing"
    model = architecture()
    if (family := model.get("model_type")) not in FAMILIES:
        return f"it is not made for a {family} model (but for {', '.join(sorted(FAMILIES))})"
    if model.get("is_decoder"):
        return "it is not made for decoders (is_decoder in config.json), which look back only"
    return None
