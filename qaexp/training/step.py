"""One step: micro-batches, their gradients, one update. Nothing in it waits for the device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from qaexp.errors import OutOfMemoryError
from qaexp.training.feed import Indices, dropout_seed, num_cells, share
from qaexp.training.loss import span_loss
from qaexp.training.profiling import phase
from qaexp.training.state import TrainState

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory")


def take_step(state: TrainState, *, max_grad_norm: float | None) -> None:
    """One update of the weights: the gradient of the mean loss over the step's features, however they are cut.

    Args:
        state: Stands before a step of its epoch; moves on by that step.
        max_grad_norm: The gradient is clipped to this norm; None: never.

    Raises:
        OutOfMemoryError: A micro-batch or the optimizer's state does not fit.
    """
    setup, accelerator = state.setup, state.setup.accelerator
    micro_batches = setup.feed.step(state.epoch, state.micro_step)
    # Processes average their gradients, so each one's sum counts as often as there are processes.
    scale = accelerator.num_processes / sum(map(len, micro_batches))
    state.forward.train()
    state.set_learning_rates()
    sums = torch.zeros(2, dtype=state.sums["record_loss"].dtype, device=accelerator.device)
    with _explained_memory(micro_batches, accelerator.device):
        for place, indices in enumerate(micro_batches, start=1):
            with nullcontext() if place == len(micro_batches) else accelerator.no_sync(state.forward):
                loss, num_correct = _forward(state, indices)
                with phase("backward"):
                    accelerator.backward(loss * scale)
            sums += torch.stack([loss.detach(), num_correct]).to(sums.dtype)
            _count(state, indices)
        with phase("clip"):
            norm = _clip(state, max_grad_norm)
        with phase("optimizer"):
            state.optimizer.step()
            state.optimizer.zero_grad()
    state.step += 1
    _add(state, accelerator.reduce(sums), norm)


def _forward(state: TrainState, indices: Indices) -> tuple[Tensor, Tensor]:
    """The sum of this process's losses in a micro-batch, and how many of its features were predicted right."""
    setup, accelerator = state.setup, state.setup.accelerator
    own = share(indices, accelerator.process_index, accelerator.num_processes)
    weight = 1.0 if len(own) else 0.0
    torch.manual_seed(dropout_seed(setup.dropout_seed, state.epoch, state.micro_step, accelerator.process_index))
    # A process without a feature must still take part in the exchange of gradients: it computes one for nothing.
    with phase("batch"):
        batch = setup.feed.batch(own if len(own) else indices[:1], accelerator.device)
        labels = batch.pop("start_positions"), batch.pop("end_positions")
    with phase("forward"):
        output = state.forward(**batch)
        loss, num_correct = span_loss(output.start_logits, output.end_logits, batch["attention_mask"], *labels)
    return loss * weight, num_correct * weight


@contextmanager
def _explained_memory(micro_batches: list[Indices], device: torch.device) -> Iterator[None]:
    """Turn every way in which torch says that memory is short into one sentence."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        raise OutOfMemoryError(
            f"training: a micro-batch of {max(map(len, micro_batches))} features does not fit into the memory of "
            f"{device}; lower batches.token_budget or batches.batch_size and raise "
            "trainer.gradient_accumulation_steps, or set trainer.gradient_checkpointing=true"
        ) from error


def _clip(state: TrainState, max_grad_norm: float | None) -> Tensor:
    """Clip the gradient; returns its norm before that."""
    parameters = [parameter for parameter in state.model.parameters() if parameter.requires_grad]
    if max_grad_norm is not None:
        norm: Tensor = state.setup.accelerator.clip_grad_norm_(parameters, max_grad_norm)
        return norm
    state.setup.accelerator.unscale_gradients()
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _count(state: TrainState, indices: Indices) -> None:
    """Count a micro-batch that was read, that of all processes together."""
    feed = state.setup.feed
    state.micro_step += 1
    state.num_tokens += int(feed.lengths[indices].sum())
    state.num_padded_tokens += num_cells(indices, feed.lengths, state.setup.accelerator.num_processes)
    state.num_features += len(indices)
    state.epoch_features += len(indices)
    state.record_features += len(indices)


def _add(state: TrainState, step_sums: Tensor, norm: Tensor) -> None:
    """Add a step's loss and hits to the running sums, on the device, and remember the first step that is not finite."""
    loss, num_correct = step_sums.unbind()
    state.sums["record_loss"] += loss
    state.sums["epoch_loss"] += loss
    state.sums["epoch_correct"] += num_correct
    state.sums["grad_norm"].copy_(norm)
    bad = ~torch.isfinite(loss)
    if state.setup.accelerator.scaler is None:  # with loss scaling an infinite gradient only skips the step
        bad |= ~torch.isfinite(norm)
    first = state.sums["first_bad_step"]
    first.copy_(torch.where((first == 0) & bad, torch.full_like(first, state.step), first))
