"""Several processes of one run: which one writes, which one reads first, and how they agree."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError
from qaexp.errors.advice import set_to, setting
from qaexp.storage.signals import note_only, raise_stop, stop_is_requested

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_SETTLING_SECONDS = 0.5
_LAST_PORT = 65535
# Others wait while one of them builds features, decodes or draws. One that died meanwhile is noticed all the same: its
# connections are closed, and who started it ends the others.
_PATIENCE = timedelta(days=30)
# Variables that torchrun, or `trainer.processes`, sets for each process.
_TOGETHER = ("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE")

# Variables by which accelerate detects several processes, including those of launchers that qaexp does not support.
_SPEAKERS = ("WORLD_SIZE", "LOCAL_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def num_processes() -> int:
    """The number of processes that train together; 1 where this one is alone.

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


def process_index() -> int:
    """The number of this process among those that train together, from 0; the first one writes.

    Raises:
        ConfigError: See `num_processes`.
    """
    return 0 if num_processes() == 1 else _whole("RANK", "0")


def is_main_process() -> bool:
    """Whether this process writes the run directory.

    Raises:
        ConfigError: See `num_processes`.
    """
    return process_index() == 0


def num_processes_here() -> int:
    """The number of processes of this machine that train together."""
    return min(num_processes(), _whole("LOCAL_WORLD_SIZE", str(num_processes()), low=1))


def check_processes(asked: int) -> None:
    """Refuse a number of processes that differs from that of torchrun, which has started them already.

    Args:
        asked: `trainer.processes`.

    Raises:
        ConfigError: Several were asked for, and there are others; or see `num_processes`.
    """
    there = num_processes()
    if there > 1 and asked not in (1, there):
        raise ConfigError(
            f"{setting('trainer.processes', str(asked))}, but {there} processes were started (WORLD_SIZE={there}, by "
            "torchrun); leave it out under torchrun, or start without torchrun"
        )


def refuse_sweep() -> None:
    """Refuse to begin a sweep in one of several processes: each of them would begin it.

    Raises:
        ConfigError: There are others.
    """
    if (there := num_processes()) > 1:
        raise ConfigError(
            f"a sweep cannot be started {there} times (WORLD_SIZE={there}, by torchrun); start it without torchrun, "
            f"and {set_to('trainer.processes', str(there))} to give each of its jobs so many processes"
        )


def share_of_threads(threads: int) -> int:
    """The CPU threads that each process takes of those of a run; each has at least one."""
    return max(1, threads // num_processes())


def all_threads() -> int:
    """The CPU threads that the processes of a run compute with, all together."""
    import torch

    return torch.get_num_threads() * num_processes()


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
    """One text for all processes: the main one draws it and shares it; works before any device is known."""
    if num_processes() == 1:
        return draw()
    if is_main_process():
        _store().set("qaexp/agreed", draw())
    return str(_store().get("qaexp/agreed").decode())


@contextmanager
def first_here(name: str) -> Iterator[None]:
    """Let one process of each machine go through the body before the others, which find in the cache what it made.

    Args:
        name: Of the body; each is entered once in a run.
    """
    if num_processes() == 1:
        yield
        return
    key = f"qaexp/{name}/{_whole('GROUP_RANK', '0')}"
    is_first = _whole("LOCAL_RANK", "0") == 0
    if not is_first:
        _store().wait([key], _PATIENCE)
    yield
    if is_first:
        _store().set(key, "done")


@functools.cache
def _store() -> Any:
    """What all processes read and write before they are connected: the store of who started them."""
    from torch.distributed.rendezvous import rendezvous

    return next(iter(rendezvous("env://")))[0]


def connect() -> None:
    """Connect all processes on the host, beside the group of their devices; does nothing for a single process.

    From here on signals are only noted: `stop_together` raises them in all processes at the same step.
    """
    if num_processes() > 1:
        _host_group()
        note_only()


@functools.cache
def _host_group() -> Any:
    """All processes, connected on the host; made by all of them at the same time."""
    from torch import distributed

    return distributed.new_group(backend="gloo", timeout=_PATIENCE)


def part() -> None:
    """Leave the process group while the training's model still exists; does nothing for a single process.

    The pause lets gloo's threads drop their last tensors. They need the interpreter's lock for that, and the group's
    destructor would hold it while waiting for them: with torch 2.13, now and then a run never ended.
    """
    if num_processes() == 1:
        return
    from torch import distributed

    if distributed.is_initialized():
        distributed.barrier(group=_host_group())
        time.sleep(_SETTLING_SECONDS)
        distributed.destroy_process_group()
        _host_group.cache_clear()


def stop_together() -> None:
    """Stop all processes at the same place once a signal has asked one of them to; a single one stops by itself.

    The processes ask each other on the host, so that none of them waits for its device.

    Raises:
        Stopped: In every process.
    """
    if num_processes() > 1 and any_process(stop_is_requested()):
        raise_stop()


def any_process(is_true: bool) -> bool:
    """Whether something is true in any process; asked by all of them at the same place."""
    if num_processes() == 1:
        return is_true
    import torch
    from torch import distributed

    asked = torch.tensor([float(is_true)])
    distributed.all_reduce(asked, group=_host_group())
    return float(asked) > 0


def agreed_object(value: Any) -> Any:
    """The main process's object, shared with all, so that every process makes the same decision.

    However long it takes the main process to make it, the others wait.
    """
    if num_processes() == 1:
        return value
    from torch import distributed

    shared = [value]
    distributed.broadcast_object_list(shared, src=0, group=_host_group())
    return shared[0]


def peers() -> Peers | None:
    """The processes that train together; None where this one is alone."""
    return None if num_processes() == 1 else Peers()


class Peers:
    """The processes of a run, for what one of them sends to the main one on the host.

    Attributes:
        index: The number of this process, from 0.
        number: How many there are.
    """

    def __init__(self) -> None:
        """Take this process's place."""
        self.index, self.number = process_index(), num_processes()

    def meet(self) -> None:
        """Wait for all.

        Raises:
            Stopped: In every process, where one of them was asked to stop.
        """
        stop_together()

    def send(self, values: Floats) -> None:
        """Send numbers to the main process, and wait until it has taken them."""
        import torch
        from torch import distributed

        distributed.send(torch.from_numpy(values), dst=0, group=_host_group())

    def receive(self, index: int, values: Floats) -> None:
        """Fill an array with the numbers that a process sends."""
        import torch
        from torch import distributed

        distributed.recv(torch.from_numpy(values), src=index, group=_host_group())
