"""The state of a training between two steps: what a checkpoint must hold to resume exactly."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qaexp.errors import DivergedError
from qaexp.training.dropout_masks import DropoutMasks
from qaexp.training.feed import Feed

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

# Kept on the device and read together, so that steps do not wait for the device.
SUMS = ("record_loss", "epoch_loss", "epoch_correct", "grad_norm", "first_bad_step")
COUNTERS = (
    "epoch",
    "micro_step",
    "step",
    "num_tokens",
    "num_features",
    "num_padded_tokens",
    "epoch_features",
    "record_features",
    "recorded_step",
    "evaluated_step",
    "num_skipped",
    "num_parts",
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What does not change during a training.

    Attributes:
        accelerator: Device, number format and processes.
        feed: Features and their order.
        factor: From the steps done to the factor of the next step's learning rates.
        total_steps: Steps of the whole training.
        dropout_seed: The seed of all dropout.
        masks: What unpadded attention and the dropout beside it draw from; None where torch draws.
    """

    accelerator: Accelerator
    feed: Feed
    factor: Callable[[int], float]
    total_steps: int
    dropout_seed: int
    masks: DropoutMasks | None = None


@dataclass(slots=True)
class TrainState:
    """A training between two steps.

    Attributes:
        setup: The constant part.
        model: The weights, for evaluation and saving.
        forward: The same weights as called in training; wrapped when several processes train.
        optimizer: The optimizer with its running means.
        sums: Running sums on the device, 0-d, named by `SUMS`; equal on all processes.
        epoch: Epochs finished or in progress before this one (0-based).
        micro_step: Micro-batches done in this epoch.
        step: Steps done.
        num_tokens: Real tokens read.
        num_features: Features read.
        num_padded_tokens: Tokens computed, padding counted.
        epoch_features: Features of this epoch read.
        record_features: Features read since the last record.
        recorded_step: The last step that a record covers.
        evaluated_step: The step of the last evaluation; -1 before the first one.
        num_skipped: Steps whose update was skipped because it was not finite.
        num_parts: Parts that each micro-batch is cut into after one did not fit into memory.
        stored_step: The step of the last checkpoint; -1 before the first one. It is not part of a checkpoint.
    """

    setup: Setup
    model: PreTrainedModel
    forward: nn.Module
    optimizer: Optimizer
    sums: dict[str, Tensor]
    epoch: int = 0
    micro_step: int = 0
    step: int = 0
    num_tokens: int = 0
    num_features: int = 0
    num_padded_tokens: int = 0
    epoch_features: int = 0
    record_features: int = 0
    recorded_step: int = 0
    evaluated_step: int = -1
    num_skipped: int = 0
    num_parts: int = 1
    stored_step: int = -1

    @property
    def is_epoch_end(self) -> bool:
        """Whether all features of this epoch were read."""
        return 0 < self.micro_step >= len(self.setup.feed.epoch(self.epoch))

    @property
    def is_finished(self) -> bool:
        """Whether no step is left."""
        return self.step >= self.setup.total_steps

    @property
    def epochs_done(self) -> float:
        """Epochs done, including the share of the current one, to four decimals."""
        return round(self.epoch + self.micro_step / len(self.setup.feed.epoch(self.epoch)), 4)

    @property
    def padding_share(self) -> float:
        """Padding in percent of the computed tokens; 0 before the first step."""
        return 100.0 * (1.0 - self.num_tokens / self.num_padded_tokens) if self.num_padded_tokens else 0.0

    def next_epoch(self) -> None:
        """Start the next epoch."""
        self.epoch, self.micro_step, self.epoch_features = self.epoch + 1, 0, 0
        self.sums["epoch_loss"].zero_()
        self.sums["epoch_correct"].zero_()

    def set_learning_rates(self) -> None:
        """Set every parameter group to the rate of the next step."""
        factor = self.setup.factor(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def learning_rate(self, step: int) -> float:
        """The rate of a step (1-based), at the head."""
        head = max(float(group["initial_lr"]) for group in self.optimizer.param_groups)
        return head * self.setup.factor(step - 1)

    def recorded(self) -> None:
        """Note that a record of all steps so far was written; the next one starts here."""
        if self.recorded_step != self.step:
            self.sums["record_loss"].zero_()
            self.record_features, self.recorded_step = 0, self.step

    def evaluated(self) -> None:
        """Note the evaluation after this step; an earlier checkpoint of this step is now out of date."""
        if self.evaluated_step != self.step:
            self.evaluated_step, self.stored_step = self.step, -1

    def read_sums(self) -> dict[str, float]:
        """Read all sums at once; waits for the device.

        Raises:
            DivergedError: A loss or gradient since the last call was NaN or infinite.
        """
        values: list[float] = torch.stack([self.sums[name] for name in SUMS]).tolist()
        found = dict(zip(SUMS, values, strict=True))
        if bad := int(found["first_bad_step"]):
            raise self.diverged(bad)
        return found

    def diverged(self, step: int) -> DivergedError:
        """The error for a step (1-based) that was not finite, with the features of its batch."""
        epoch, micro_step, before = 0, 0, 0
        while before + self.setup.feed.num_steps(epoch) < step:
            before += self.setup.feed.num_steps(epoch)
            epoch += 1
        micro_step = (step - before - 1) * self.setup.feed.accumulation
        skipped = f" after {self.num_skipped} skipped steps" if self.num_skipped else ""
        return DivergedError(
            f"training: the loss or its gradient is NaN or infinite at step {step} of {self.setup.total_steps}"
            f"{skipped} with learning rate {self.learning_rate(step):.3g}; lower optimizer.lr, or set "
            "trainer.max_grad_norm, trainer.precision=fp32 or trainer.on_nan=skip:1",
            step=step,
            epoch=epoch + 1,
            features=[int(index) for indices in self.setup.feed.step(epoch, micro_step) for index in indices],
        )

    def snapshot(self) -> dict[str, Tensor]:
        """Copy the weights to the CPU, for `model.load_state_dict`."""
        return {name: value.detach().to("cpu", copy=True) for name, value in self.model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """The changing part: `model`, `optimizer`, `sums`, `scaler` (tensors, not copied) and `counters` (ints).

        Dropout and order need no generator state: they are functions of the seed and the counters.
        """
        scaler = self.setup.accelerator.scaler
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sums": self.sums,
            "scaler": scaler.state_dict() if scaler is not None else {},
            "counters": self.counters(),
        }

    def counters(self) -> dict[str, int]:
        """The position of the training, as plain numbers."""
        return {name: getattr(self, name) for name in COUNTERS}

    def set_counters(self, counters: Mapping[str, int]) -> None:
        """Restore the position from `counters`."""
        for name in COUNTERS:
            setattr(self, name, int(counters[name]))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned in a training with the same config; tensors are copied.

        If the optimizer's state is None, because no step will follow, the optimizer is left unchanged.
        """
        self.model.load_state_dict(state["model"])
        if state["optimizer"] is not None:
            # Optimizers keep the given tensors without copying them.
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        for name in SUMS:
            self.sums[name].copy_(state["sums"][name])
        if self.setup.accelerator.scaler is not None:
            self.setup.accelerator.scaler.load_state_dict(state["scaler"])
        self.set_counters(state["counters"])
        self.stored_step = self.step


def new_sums(device: torch.device) -> dict[str, Tensor]:
    """Running sums at zero, in float64 where the device has it."""
    kind = torch.float32 if device.type == "mps" else torch.float64
    return {name: torch.zeros((), dtype=kind, device=device) for name in SUMS}


def finite_or_none(value: float) -> float | None:
    """A gradient norm for the record; None if fp16's loss scaling made it infinite and the step was skipped."""
    return value if math.isfinite(value) else None
