"""Several processes of one run (torchrun): which one writes, and how they agree."""

from __future__ import annotations

import functools
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
# Variables that torchrun sets for each of its processes.
_TOGETHER = ("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE")

# Variables by which accelerate detects several processes, including those of launchers that qaexp does not support.
_SPEAKERS = ("WORLD_SIZE", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def num_processes() -> int:
    """The number of processes that train together under torchrun; 1 without it.

    Raises:
        ConfigError: The environment announces several processes, but its variables are incomplete or invalid.
    """
    speaker = next((name for name in _SPEAKERS if _speaks_of_others(name)), None)
    if speaker is not None:
        told = f"{speaker}={os.environ[speaker]}"
        for name in _TOGETHER:
            if not os.environ.get(name):
                raise ConfigError(f"{told}, but {name} is not set: start with torchrun, or unset {speaker}")
        _check_places(_whole("WORLD_SIZE", "1", low=1))
    return _whole("WORLD_SIZE", "1", low=1)


def is_main_process() -> bool:
    """Whether this process writes the run directory.

    Raises:
        ConfigError: See `num_processes`.
    """
    return num_processes() == 1 or _whole("RANK", "0") == 0


def _speaks_of_others(name: str) -> bool:
    """Whether a variable makes accelerate look for other processes; LOCAL_RANK does at any value but -1."""
    if name == "LOCAL_RANK":
        return bool(os.environ.get(name)) and _whole(name, "-1", low=-1) != -1
    return _whole(name, "1", low=1) > 1


def _check_places(total: int) -> None:
    """Refuse ranks outside the number of processes, and an invalid port."""
    for name in ("RANK", "LOCAL_RANK"):
        if _whole(name, "0") >= total:
            raise ConfigError(f"{name}={os.environ[name]}, but WORLD_SIZE={total}: start with torchrun, or unset both")
    if not 0 < _whole("MASTER_PORT", "1") <= _LAST_PORT:
        raise ConfigError(
            f"MASTER_PORT={os.environ['MASTER_PORT']} is not a port (1 to {_LAST_PORT}): start with torchrun"
        )


def _whole(name: str, default: str, *, low: int = 0) -> int:
    value = os.environ.get(name) or default
    try:
        if (number := int(value)) >= low:
            return number
    except ValueError:
        pass
    raise ConfigError(f"{name}={value!r} is not a whole number of at least {low}: start with torchrun, or unset {name}")


def agreed(draw: Callable[[], str]) -> str:
    """One text for all processes: the main one draws it and shares it.

    It uses torchrun's store, so it works before any device is known.
    """
    if num_processes() == 1:
        return draw()
    from torch.distributed.rendezvous import rendezvous

    store, rank, _ = next(iter(rendezvous("env://")))
    if rank == 0:
        store.set("qaexp/agreed", draw())
    return str(store.get("qaexp/agreed").decode())


def part() -> None:
    """Leave the process group while the training's model still exists; does nothing for a single process.

    The pause lets gloo's threads drop their last tensors. They need the interpreter's lock for that, and the group's
    destructor would hold it while waiting for them: with torch 2.13, now and then a run never ended.
    """
    if num_processes() == 1:
        return
    from torch import distributed

    if distributed.is_initialized():
        distributed.barrier()
        time.sleep(_SETTLING_SECONDS)
        distributed.destroy_process_group()
        _host_group.cache_clear()


def stop_together(accelerator: Accelerator) -> None:
    """Stop all processes at the same step once a signal has asked one of them to.

    The processes ask each other on the host, so that none of them waits for its device.

    Raises:
        Stopped: In every process.
    """
    import torch
    from torch import distributed

    asked = torch.tensor([float(stop_is_requested())])
    distributed.all_reduce(asked, group=None if accelerator.device.type == "cpu" else _host_group())
    if float(asked) > 0:
        raise_stop()


@functools.cache
def _host_group() -> Any:
    """All processes, connected on the host beside the group of their devices; made by all of them at the same step."""
    from torch import distributed

    return distributed.new_group(backend="gloo")


def agreed_object(value: Any) -> Any:
    """The main process's object, shared with all, so that every process makes the same decision."""
    if num_processes() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]
