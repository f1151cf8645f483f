"""The rules of the node `trainer`, shared by the config check and by Python callers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qaexp.config.schema import TrainerConfig
from qaexp.errors.advice import setting

# Kinds of devices of which a machine may have several.
_SEVERAL = ("cuda", "xpu")
_ON_NAN = re.compile(r"fail|skip:[1-9]\d{0,5}")


def trainer_problems(trainer: TrainerConfig) -> Iterator[str]:
    """Name what is wrong with the settings of a trainer, apart from ranges and this machine's devices."""
    yield from device_problems(trainer.device)
    if trainer.processes > 1 and ":" in trainer.device:
        kind = trainer.device.partition(":")[0]
        yield (
            f"trainer.device={trainer.device} names one GPU, and trainer.processes={trainer.processes} need one each; "
            f"set trainer.device={kind} or trainer.processes=1"
        )
    yield from precision_problems(
        trainer.precision, trainer.device.partition(":")[0], f"trainer.device={trainer.device}"
    )
    if not _ON_NAN.fullmatch(trainer.on_nan):
        yield f"trainer.on_nan={trainer.on_nan} is neither fail nor skip:K with a whole number K from 1 up, as skip:3"


def device_problems(device: str) -> Iterator[str]:
    """Name what is wrong with a word for a device.

    >>> list(device_problems("cuda:1")), list(device_problems("gpu"))
    ([], ['trainer.device=gpu is none of auto, cpu, cuda, cuda:N, xpu, xpu:N, mps'])
    """
    kind, colon, index = device.partition(":")
    is_known = index.isdigit() and kind in _SEVERAL if colon else kind in ("auto", "cpu", *_SEVERAL, "mps")
    if not is_known:
        yield f"{setting('trainer.device', device)} is none of auto, cpu, cuda, cuda:N, xpu, xpu:N, mps"


def precision_problems(precision: str, kind: str, found: str) -> Iterator[str]:
    """Name a number format that a kind of device never supports; for `auto` it is not yet known.

    Args:
        precision: The word for it.
        kind: The kind of device, such as `cpu`.
        found: How the message says which device it is.

    >>> list(precision_problems("fp16", "cpu", "trainer.device=cpu")), list(precision_problems("fp16", "auto", ""))
    (['trainer.precision=fp16 needs CUDA, and trainer.device=cpu; choose fp32 or auto'], [])
    """
    if precision == "fp16" and kind in ("cpu", "mps", "xpu"):
        yield f"{setting('trainer.precision', precision)} needs CUDA, and {found}; choose fp32 or auto"
