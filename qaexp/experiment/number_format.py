"""Number format and attention of a run: what it was begun with, else what its config names or its device is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from qaexp.config.build import build
from qaexp.config.schema import ExperimentConfig
from qaexp.errors import ConfigError
from qaexp.errors.advice import another_name
from qaexp.experiment.asked_names import check_no_secret_is_asked_for
from qaexp.runs.writing.resumption import Begun
from qaexp.storage.origins import Origins
from qaexp.training.attention_choice import Attention, choose_attention
from qaexp.training.number_formats import AUTO, FP32, KINDS, choose_precision, kind_of
from qaexp.training.precision import choose_device


@dataclass(frozen=True, slots=True)
class Settled:
    """A config whose number format is known.

    Attributes:
        config: As it is stored and identified, its attention settled too. The format `auto` stays where it is fp32, as
            in the runs that were made before a CPU had another one; elsewhere the format stands in its place, so that
            no run is taken for one of another.
        computed: As its parts are built, with the format itself.
        format: fp32, bf16 or fp16.
        attention: Which attention is used.
    """

    config: ExperimentConfig
    computed: ExperimentConfig
    format: str
    attention: Attention


def settled(config: ExperimentConfig, begun: Begun | None = None, origins: Origins | None = None) -> Settled:
    """Settle the number format and the attention of a run.

    Args:
        config: A checked config.
        begun: How what it goes on with was begun, where it does: `trainer.precision=auto` is that format then.
            Otherwise it is what the device computes in at full speed. The same holds for `trainer.attention=auto`.
        origins: Which values of the config came from the environment.

    Raises:
        ConfigError: The device is not there, or does not compute in the format that the run was begun in, or not with
            the attention that is asked for.
        IntegrityError: A secret would be sent to a hub, which is asked for the model's family.
    """
    attention = _attention(config, begun, origins)
    config = replace(config, trainer=replace(config.trainer, attention=attention.word))
    given = config.trainer.precision
    if begun is not None and given in (AUTO, begun.format):
        _check_device(begun, choose_device(config.trainer.device))
    if given != AUTO:
        return Settled(config, config, given, attention)
    begun = begun or _begun_here(config)
    return Settled(_with(config, begun.word), _with(config, begun.format), begun.format, attention)


def begun_in(format: str) -> Begun:
    """What is begun in a format that `auto` is."""
    return Begun(AUTO if format == FP32 else format, format)


def _begun_here(config: ExperimentConfig) -> Begun:
    return begun_in(choose_precision(AUTO, choose_device(config.trainer.device)))


def _with(config: ExperimentConfig, precision: str) -> ExperimentConfig:
    return replace(config, trainer=replace(config.trainer, precision=precision))


def _attention(config: ExperimentConfig, begun: Begun | None, origins: Origins | None) -> Attention:
    trainer = config.trainer
    found = choose_attention(trainer, choose_device(trainer.device), lambda: _architecture(config, origins))
    # Who names another format than the run's asks for another run, whose attention follows from that format.
    goes_on = begun is not None and trainer.precision in (AUTO, begun.word)
    was = begun.attention if begun is not None and goes_on and trainer.attention == AUTO else None
    return found if was in (None, found.word) else Attention(str(was), "the run was begun with it")


def _architecture(config: ExperimentConfig, origins: Origins | None) -> dict[str, Any]:
    check_no_secret_is_asked_for(config, origins)
    found: dict[str, Any] = build(config.model, "model").architecture()
    return found


def _check_device(begun: Begun, device: torch.device) -> None:
    """Refuse to go on where the format of a run is not to be had."""
    formats = KINDS[kind_of(device)].formats
    if begun.format not in formats:
        where = f" on {begun.device}" if begun.device else ""
        raise ConfigError(
            f"it was begun in {begun.format}{where}, and {device} computes in {' or '.join(formats)}; "
            f"go on where there is {begun.format}, or {another_name()}"
        )
