"""One step: micro-batches, their gradients, one update, without waiting for the device."""

from __future__ import annotations

import logging
import random

import numpy as np
import torch
from torch import Tensor

from qaexp.data.device_copies import without_full_mask
from qaexp.training.feed import Indices, cut, dropout_seed, num_cells, share
from qaexp.training.gradients import sum_gradients
from qaexp.training.loss import span_loss
from qaexp.training.memory import Shortage, make_room, shortage_of_any, watched_memory
from qaexp.training.profiling import phase
from qaexp.training.state import TrainState

_LOGGER = logging.getLogger("qaexp")


def take_step(state: TrainState, *, max_grad_norm: float | None, max_skipped: int = 0) -> None:
    """One update of the weights by the gradient of the mean loss over the step's features, however they are cut.

    A step that does not fit into memory is repeated with its micro-batches cut in halves, as are all later steps. The
    same features in the same order make the same update.

    Args:
        state: The state before the step; it is advanced by one step.
        max_grad_norm: The gradient is clipped to this norm; None: never.
        max_skipped: Number of updates of the training that may be skipped because they are not finite.

    Raises:
        DivergedError: One more update is not finite; raised at the step where the device is not waited for anyway
            (CPU), or where `max_skipped` makes it necessary; otherwise `TrainState.read_sums` raises it later.
        OutOfMemoryError: A single feature or the optimizer's state does not fit.
    """
    counters = state.counters()
    while (short := _attempt(state, max_grad_norm, max_skipped)) is not None:
        state.set_counters({**counters, "num_parts": state.num_parts})
        make_room(state, short)


def _attempt(state: TrainState, max_grad_norm: float | None, max_skipped: int) -> Shortage | None:
    """Take a step; if memory ran out, return how, with the state incomplete."""
    setup, accelerator = state.setup, state.setup.accelerator
    micro_batches = setup.feed.step(state.epoch, state.micro_step)
    state.forward.train()
    state.set_learning_rates()
    sums = torch.zeros(2, dtype=state.sums["record_loss"].dtype, device=accelerator.device)
    with watched_memory(state, micro_batches) as watch:
        _add_gradients(state, micro_batches, sums)
    if (short := shortage_of_any(watch)) is not None:
        return short
    with watched_memory(state, micro_batches, is_shared=True) as watch:
        sum_gradients(state.model.parameters())
        with phase("clip"):
            norm = _clip(state, max_grad_norm)
        sums = accelerator.reduce(sums)
        is_bad = _is_bad(state, sums[0], norm)
        if _is_skipped(state, is_bad, max_skipped):
            state.optimizer.zero_grad()
            return None
        with phase("optimizer"):
            watch.enter_optimizer()
            state.optimizer.step()
            state.optimizer.zero_grad()
    if watch.shortage is None:
        state.step += 1
        _add(state, sums, norm, is_bad)
    return watch.shortage


def _add_gradients(state: TrainState, micro_batches: list[Indices], sums: Tensor) -> None:
    """Compute the gradient of this process's share of a step, and add its losses and hits to the sums."""
    accelerator, scale = state.setup.accelerator, 1 / sum(map(len, micro_batches))
    for indices in micro_batches:
        with accelerator.no_sync(state.forward):
            for number, part in enumerate(cut(indices, state.num_parts)):
                loss, num_correct = _forward(state, part, number)
                with phase("backward"):
                    accelerator.backward(loss * scale)
                sums += torch.stack([loss.detach(), num_correct]).to(sums.dtype)
        _count(state, indices)


def _forward(state: TrainState, indices: Indices, number: int) -> tuple[Tensor, Tensor]:
    """The sum of this process's losses in a part of a micro-batch, and the number of correct features."""
    setup, accelerator = state.setup, state.setup.accelerator
    own = share(indices, accelerator.process_index, accelerator.num_processes)
    weight = 1.0 if len(own) else 0.0
    place = (state.epoch, state.micro_step, accelerator.process_index)
    _seed(dropout_seed(setup.dropout_seed, *place, number))
    # A process without a feature must still exchange gradients, so it computes one feature with weight 0.
    features = own if len(own) else indices[:1]
    with phase("batch"):
        batch = setup.feed.batch(features, accelerator.device)
        if setup.masks is not None:
            setup.masks.begin(state.epoch, setup.feed.rows(features))
        labels = batch.pop("start_positions"), batch.pop("end_positions")
        inputs = without_full_mask(batch, is_full=np.ptp(setup.feed.lengths[features]) == 0)
    with phase("forward"):
        output = state.forward(**inputs)
        loss, num_correct = span_loss(output.start_logits, output.end_logits, batch["attention_mask"], *labels)
    return loss * weight, num_correct * weight


def _is_bad(state: TrainState, loss: Tensor, norm: Tensor) -> Tensor:
    """Whether the step is not finite, on the device; with loss scaling, an infinite gradient only skips the step."""
    bad = ~torch.isfinite(loss)
    return bad if state.setup.accelerator.scaler is not None else bad | ~torch.isfinite(norm)


def _is_skipped(state: TrainState, is_bad: Tensor, max_skipped: int) -> bool:
    """Count a step whose update is skipped, if that is allowed; otherwise raise.

    Raises:
        DivergedError: See `take_step`.
    """
    may_wait = state.setup.accelerator.device.type == "cpu" or max_skipped > 0
    if not may_wait or not bool(is_bad):
        return False
    state.step += 1
    if state.num_skipped >= max_skipped:
        raise state.diverged(state.step)
    state.num_skipped += 1
    num_features = sum(map(len, state.setup.feed.step(state.epoch, state.micro_step - state.setup.feed.accumulation)))
    state.epoch_features -= num_features
    state.record_features -= num_features
    _LOGGER.warning(
        "step %d of epoch %d is NaN or infinite, and its update was skipped (%d of %d that trainer.on_nan allows)",
        *(state.step, state.epoch + 1, state.num_skipped, max_skipped),
    )
    return True


def _clip(state: TrainState, max_grad_norm: float | None) -> Tensor:
    """Clip the gradient; returns its norm before clipping."""
    parameters = [parameter for parameter in state.model.parameters() if parameter.requires_grad]
    if max_grad_norm is not None:
        norm: Tensor = state.setup.accelerator.clip_grad_norm_(parameters, max_grad_norm)
        return norm
    state.setup.accelerator.unscale_gradients()
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _count(state: TrainState, indices: Indices) -> None:
    """Count a micro-batch, for all processes together."""
    feed = state.setup.feed
    state.micro_step += 1
    state.num_tokens += int(feed.lengths[indices].sum())
    num_processes = state.setup.accelerator.num_processes
    state.num_padded_tokens += sum(
        num_cells(part, feed.lengths, num_processes) for part in cut(indices, state.num_parts)
    )
    state.num_features += len(indices)
    state.epoch_features += len(indices)
    state.record_features += len(indices)


def _add(state: TrainState, step_sums: Tensor, norm: Tensor, is_bad: Tensor) -> None:
    """Add a step's loss and hits to the running sums on the device, and note the first step that is not finite."""
    loss, num_correct = step_sums.unbind()
    state.sums["record_loss"] += loss
    state.sums["epoch_loss"] += loss
    state.sums["epoch_correct"] += num_correct
    state.sums["grad_norm"].copy_(norm)
    first = state.sums["first_bad_step"]
    first.copy_(torch.where((first == 0) & is_bad, torch.full_like(first, state.step), first))


def _seed(seed: int) -> None:
    """Seed dropout and the generators that custom models and data may use, so that they resume exactly too."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (the global one is meant)
