"""Several processes of one run (torchrun): which one writes, and how they agree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError
from qaexp.storage.signals import raise_stop, stop_is_requested

if TYPE_CHECKING:
    from accelerate import Accelerator

_SETTLING_SECONDS = 0.5
_LAST_PORT = 65535
# What torchrun tells each of its processes.
_TOGETHER = ("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE")

# What accelerate takes for several processes, that of launchers that qaexp is not started by among them.
_SPEAKERS = ("WORLD_SIZE", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def num_processes() -> int:
    """How many processes train together, as torchrun says it; 1 without torchrun.

    Raises:
        ConfigError: The environment speaks of several processes, and says too little or nonsense of them.
    """
    speaker = next((name for name in _SPEAKERS if _speaks_of_others(name)), None)
    if speaker is not None:
        told = f"{speaker}={os.environ[speaker]}"
        for name in _TOGETHER:
            if not os.environ.get(name):
                raise ConfigError(f"{told}, but {name} is not set: start by torchrun, or unset {speaker}")
        _check_places(_whole("WORLD_SIZE", "1", low=1))
    return _whole("WORLD_SIZE", "1", low=1)


def is_main_process() -> bool:
    """Is this the process that writes the run directory?

    Raises:
        ConfigError: As `num_processes`.
    """
    return num_processes() == 1 or _whole("RANK", "0") == 0


def _speaks_of_others(name: str) -> bool:
    """Does a variable make accelerate look for other processes? LOCAL_RANK does it at any value."""
    if name == "LOCAL_RANK":
        return bool(os.environ.get(name)) and _whole(name, "-1", low=-1) != -1
    return _whole(name, "1", low=1) > 1


def _check_places(total: int) -> None:
    """Refuse places that are none of so many processes, and a port that is none."""
    for name in ("RANK", "LOCAL_RANK"):
        if _whole(name, "0") >= total:
            raise ConfigError(f"{name}={os.environ[name]}, but WORLD_SIZE={total}: start by torchrun, or unset both")
    if not 0 < _whole("MASTER_PORT", "1") <= _LAST_PORT:
        raise ConfigError(f"MASTER_PORT={os.environ['MASTER_PORT']} is no port (1 to {_LAST_PORT}): start by torchrun")


def _whole(name: str, default: str, *, low: int = 0) -> int:
    value = os.environ.get(name) or default
    try:
        if (number := int(value)) >= low:
            return number
    except ValueError:
        pass
    raise ConfigError(f"{name}={value!r} is no whole number from {low} on: start by torchrun, or unset {name}")


def agreed(draw: Callable[[], str]) -> str:
    """One text for all processes: the main one draws it, the others are told.

    It goes over the store of torchrun, so that it works before anything is known of devices.
    """
    if num_processes() == 1:
        return draw()
    from torch.distributed.rendezvous import rendezvous

    store, rank, _ = next(iter(rendezvous("env://")))
    if rank == 0:
        store.set("qaexp/agreed", draw())
    return str(store.get("qaexp/agreed").decode())


def part() -> None:
    """Take leave of the other processes, while the model of the training still stands; alone, do nothing.

    The pause lets gloo's threads drop their last tensors: they need the interpreter's lock for that, which the group's
    destructor would hold while it waits for them (seen with torch 2.13: one of some dozen runs never ended).
    """
    if num_processes() == 1:
        return
    from torch import distributed

    if distributed.is_initialized():
        distributed.barrier()
        time.sleep(_SETTLING_SECONDS)
        distributed.destroy_process_group()


def stop_together(accelerator: Accelerator) -> None:
    """Stop all processes at the same step when a signal asked one of them to.

    Raises:
        Stopped: In every process.
    """
    import torch

    asked = torch.tensor([float(stop_is_requested())], device=accelerator.device)
    if float(accelerator.reduce(asked)) > 0:
        raise_stop()


def agreed_object(value: Any) -> Any:
    """The main process's object, for all: a decision that hangs on it is then the same everywhere."""
    if num_processes() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]
