"""What the training loop yields: plain numbers, equal on every process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One line of metrics.jsonl.

    Attributes:
        step: Steps done.
        epoch: The epoch of this step, counted from 1.
        loss: Mean over the features since the last record; None when all of their steps were skipped (`on_nan`).
        learning_rate: The rate of this step, at the head.
        grad_norm: Of this step, before clipping; None when fp16's loss scaling skipped it.
        num_tokens: Real tokens read so far.
        num_features: Features read so far.
    """

    step: int
    epoch: int
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    num_tokens: int
    num_features: int


@dataclass(frozen=True, slots=True)
class EvaluationDue:
    """The loop pauses for its consumer to evaluate, keep weights, or break off (early stopping).

    Attributes:
        step: Steps done.
        epoch: The epoch in progress or just finished, counted from 1; 0 when nothing was trained.
        train_loss: Mean over the epoch's features so far, dropout on; None when nothing was trained.
        train_accuracy: Percent of them whose start and end were both predicted right in training.
        is_epoch_end: All features of the epoch were read.
        is_last: No step follows.
    """

    step: int
    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    is_epoch_end: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class CheckpointDue:
    """A multiple of `checkpoint_every` or the end of an epoch: the consumer of the loop may store the state.

    Attributes:
        step: Steps done.
    """

    step: int
