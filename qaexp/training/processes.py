"""Several processes of one run (torchrun): which one writes, and how they agree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qaexp.runs.signals import raise_stop, stop_is_requested

if TYPE_CHECKING:
    from accelerate import Accelerator

_SETTLING_SECONDS = 0.5


def num_processes() -> int:
    """How many processes train together, as torchrun says it; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Is this the process that writes the run directory?"""
    return int(os.environ.get("RANK", "0")) == 0


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
