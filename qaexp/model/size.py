"""How large a model a config describes: counted without memory, and stopped where it is more than can be meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError, IntegrityError
from qaexp.errors.advice import the_model

if TYPE_CHECKING:
    from torch.nn import Module, Parameter
    from transformers import PreTrainedConfig

# The largest models have some thousand modules; each more costs a fraction of a millisecond.
_MAX_MODULES = 10_000
# A model may have a head that no file holds, tables that it draws itself, and parameters that it uses twice.
_SPARE_PARAMETERS, _SPARE_FACTOR = 4_000_000, 4
_BYTES_OF_FLOAT = 4


class _TooLargeError(Exception):
    """Stops the counting."""


class _Counter:
    """Counts modules and parameters as torch registers them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.num_modules = self.num_parameters = 0

    def parameter(self, _module: Module, _name: str, parameter: Parameter | None) -> None:
        self.num_parameters += 0 if parameter is None else parameter.numel()
        if self.num_parameters > self.most:
            raise _TooLargeError(f"{self.num_parameters:,} parameters or more")

    def module(self, _module: Module, _name: str, _child: Module | None) -> None:
        self.num_modules += 1
        if self.num_modules > _MAX_MODULES:
            raise _TooLargeError(f"more than {_MAX_MODULES:,} modules")


def check_files(checkpoint: str, files: list[Path]) -> None:
    """Refuse weights that are larger than this machine's memory before a byte of them is read.

    Raises:
        ConfigError: With both sizes.
    """
    size, memory = sum(path.stat().st_size for path in files), _memory()
    if size > memory:
        raise ConfigError(
            f"{the_model(checkpoint)}: its weights take {size / 2**30:,.1f} GiB, and this machine has "
            f"{memory / 2**30:,.1f} GiB of memory; take a smaller model"
        )


def check_size(checkpoint: str, config: PreTrainedConfig, num_stored: int | None) -> None:
    """Build the model without memory for its parameters, and stop where it grows beyond a limit.

    Args:
        checkpoint: What the user called it, for the message.
        config: The model's config.
        num_stored: Numbers that its weights hold; None for fresh weights.

    Raises:
        ConfigError: The model does not fit into this machine's memory, or cannot be built.
        IntegrityError: The config describes a model far larger than its weights, or one of more modules than any has.
    """
    memory = _memory()
    fits = memory // _BYTES_OF_FLOAT
    meant = fits if num_stored is None else _SPARE_FACTOR * num_stored + _SPARE_PARAMETERS
    counter = _Counter(min(fits, meant))
    try:
        _count(config, counter)
    except _TooLargeError as found:
        where = f"{the_model(checkpoint)}: its config.json describes a model of {found}"
        if counter.num_modules > _MAX_MODULES:
            raise IntegrityError(
                f"{where}, and no known model has as many; correct it, or take another model"
            ) from None
        if num_stored is not None and meant < fits:
            raise IntegrityError(
                f"{where}, and its weights hold {num_stored:,}; get the config.json that belongs to these weights"
            ) from None
        raise ConfigError(
            f"{where}, and this machine has memory for {fits:,} ({memory / 2**30:.1f} GiB); take a smaller model"
        ) from None
    except Exception as error:  # numbers that do not fit each other, which each family says in its own way
        raise ConfigError(
            f"{the_model(checkpoint)}: no model can be built of its config.json ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]:.200}); take another model"
        ) from error


def _count(config: PreTrainedConfig, counter: _Counter) -> None:
    import torch
    from torch.nn.modules import module as hooks
    from transformers import AutoModelForQuestionAnswering

    handles: list[Any] = [
        hooks.register_module_parameter_registration_hook(counter.parameter),
        hooks.register_module_module_registration_hook(counter.module),
    ]
    try:
        with torch.device("meta"):
            AutoModelForQuestionAnswering.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    finally:
        for handle in handles:
            handle.remove()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
