"""What a step does when memory runs out: halve the micro-batch for the same update, or fail with numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from qaexp.errors import OutOfMemoryError, is_out_of_memory
from qaexp.training.feed import Indices
from qaexp.training.peak import peak_memory_mib
from qaexp.training.processes import any_process, num_processes
from qaexp.training.state import TrainState

_LOGGER = logging.getLogger("qaexp")


@dataclass(frozen=True, slots=True)
class Shortage:
    """Memory ran out in a step.

    Attributes:
        message: The original message.
        num_features: Features of the largest part of a micro-batch.
        length: Tokens of its longest feature.
        is_half_updated: Whether the optimizer had begun to change the weights or its running means.
        is_first_update: Whether it ran out while the optimizer created its running means, which are then dropped.
    """

    message: str
    num_features: int
    length: int
    is_half_updated: bool
    is_first_update: bool


@dataclass(slots=True)
class MemoryWatch:
    """Follows one step, to know how far it got when memory ran out."""

    state: TrainState
    micro_batches: list[Indices]
    shortage: Shortage | None = None
    _is_updating: bool = False
    _weights_before: torch.Tensor | None = None

    def enter_optimizer(self) -> None:
        """From here on the weights may change."""
        self._is_updating = True
        self._weights_before = None if self.state.optimizer.state else self._weights()

    def is_first_update(self) -> bool:
        """Whether the optimizer created running means but changed no weight: where memory most often runs out."""
        return self._weights_before is not None and torch.equal(self._weights_before, self._weights())

    def is_half_updated(self) -> bool:
        """Whether the optimizer changed anything that cannot be recreated, here or in another process."""
        return self._is_updating and (num_processes() > 1 or not self.is_first_update())

    def short(self, message: str) -> Shortage:
        """What happened, where memory ran out with a message."""
        largest = max(self.micro_batches, key=len)
        return Shortage(
            message=message,
            num_features=-(-len(largest) // self.state.num_parts),
            length=max(int(self.state.setup.feed.lengths[indices].max()) for indices in self.micro_batches),
            is_half_updated=self.is_half_updated(),
            is_first_update=self.is_first_update(),
        )

    def _weights(self) -> torch.Tensor:
        """One number for each parameter, on the device, so that nothing waits for it before memory has run out.

        torch's own version counter misses the changes of fused kernels.
        """
        return torch.stack([parameter.detach().sum() for parameter in self.state.model.parameters()])


@contextmanager
def watched_memory(
    state: TrainState, micro_batches: list[Indices], *, is_shared: bool = False
) -> Iterator[MemoryWatch]:
    """Note in the watch that memory ran out in the body, instead of raising the error.

    Args:
        state: The training.
        micro_batches: Those of the step.
        is_shared: What the body does is done once in all processes: where one of several fails, none can repeat it.
    """
    watch = MemoryWatch(state, micro_batches, _is_updating=is_shared and num_processes() > 1)
    try:
        yield watch
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        watch.shortage = watch.short(str(error).splitlines()[0] if str(error) else type(error).__name__)


def shortage_of_any(watch: MemoryWatch) -> Shortage | None:
    """What ran out in this process or in another one, before any has changed its weights: all cut their batches then.

    All processes call it at the same place.
    """
    if not any_process(watch.shortage is not None):
        return None
    return watch.shortage or watch.short("it ran out in another process")


def make_room(state: TrainState, shortage: Shortage) -> None:
    """Cut the micro-batches in halves for the next attempt.

    Args:
        state: Its counters are back at the start of the step; its gradients and new running means are dropped.
        shortage: What happened.

    Raises:
        OutOfMemoryError: There is nothing left to halve, or the weights have already changed.
    """
    accelerator = state.setup.accelerator
    place = f"training: step {state.step + 1} does not fit into the memory of {accelerator.device}"
    numbers = f"{peak_memory_mib(accelerator.device):.0f} MiB were in use at the process's peak; {shortage.message}"
    if shortage.is_half_updated:
        raise OutOfMemoryError(
            f"{place}: memory ran out while the optimizer changed the weights ({numbers}); lower "
            "batches.token_budget or batches.batch_size, and the same command resumes from the last checkpoint with "
            "trainer.allow_drift=true"
        )
    # Each process computes one feature at least, however small the parts are.
    if shortage.num_features <= accelerator.num_processes:
        raise OutOfMemoryError(
            f"{place}: one feature of {shortage.length} tokens alone is too much ({numbers}); lower "
            "features.max_length or batches.token_budget, choose a smaller model, or set "
            "trainer.gradient_checkpointing=true"
        )
    state.num_parts *= 2
    state.optimizer.zero_grad()
    if shortage.is_first_update:
        state.optimizer.state.clear()
    if accelerator.device.type != "cpu":
        torch.get_device_module(accelerator.device).empty_cache()
    _LOGGER.warning(
        "step %d did not fit into memory: its micro-batches are cut into %d parts from here on, the update stays the "
        "same (%s)",
        *(state.step + 1, state.num_parts, numbers),
    )
