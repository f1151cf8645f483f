"""The training so far: everything that changes in a run; a checkpoint is made from it and restored into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from qaexp.evaluation.question_set import Scored
from qaexp.training.clock import Clock
from qaexp.training.peak import PeakMemory
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState

Row = dict[str, Any]
Weights = dict[str, Tensor]


@dataclass(slots=True)
class TrainingSoFar:
    """A training as the run around it sees it.

    Records and evaluations are noted here as soon as they are written, not only when the loop continues: a signal may
    arrive in between, and a checkpoint must agree with the files.

    Attributes:
        state: The training itself: weights, optimizer, place.
        selection: Which evaluation's weights are kept, and whether early stopping applies.
        memory: The peak memory.
        clock: Seconds of training and of evaluation.
        steps: The lines of metrics.jsonl.
        history: The rows of history.csv.
        scored: The result of this attempt's last evaluation; None before the first one.
    """

    state: TrainState
    selection: Selection
    memory: PeakMemory
    clock: Clock = field(default_factory=Clock)
    steps: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    scored: Scored | None = None

    @property
    def is_over(self) -> bool:
        """Whether no step follows: all are done, or early stopping applies."""
        return self.state.is_finished or self.selection.is_over

    @property
    def kept_row(self) -> Row:
        """The row of history.csv that belongs to the kept weights."""
        return next(row for row in reversed(self.history) if row["epoch"] == self.selection.kept_epoch)

    def recorded(self, line: Row) -> None:
        """Note a line of metrics.jsonl that was written."""
        self.steps.append(line)
        self.state.recorded()

    def evaluated(self, row: Row, scored: Scored | None) -> None:
        """Note a row of history.csv that was written, and the evaluation behind it, which one process has."""
        self.history.append(row)
        self.scored = scored
        self.clock.eval_seconds += scored.eval_seconds if scored is not None else 0.0
        self.selection.see(row["epoch"], row["f1"], self.state)
        self.state.evaluated()

    def timing(self) -> Row:
        """A line of timings.jsonl."""
        peak = self.memory.mib()
        reading = self.clock.reading(self.state.step, self.state.num_tokens, self.state.num_features)
        return {**reading, "memory_mib": None if peak is None else round(peak, 1)}

    def weights(self) -> tuple[Weights, Weights | None]:
        """The current weights, and the kept ones where they differ; not copied."""
        return self.state.model.state_dict(), self.selection.best_weights(self.state)

    def state_dict(self, elapsed_seconds: float) -> dict[str, Any]:
        """Everything but the weights, as a tree of tensors (not copied) and plain values.

        Args:
            elapsed_seconds: Seconds of the whole run, which are counted elsewhere.
        """
        training = {name: part for name, part in self.state.state_dict().items() if name != "model"}
        if self.is_over:
            # Two thirds of the bytes, and no further step needs it.
            training["optimizer"] = None
        return {
            "training": training,
            "selection": self.selection.state_dict(),
            "history": self.history,
            "seconds": {"train": self.clock.train_seconds, "eval": self.clock.eval_seconds},
            "elapsed_seconds": elapsed_seconds,
            "peak_memory_mib": self.memory.mib(),
        }

    def load_state_dict(self, found: Mapping[str, Any], weights: Weights, best: Weights | None) -> None:
        """Restore what `state_dict` and `weights` returned in a training with the same config.

        Raises:
            RuntimeError, ValueError, KeyError: It does not fit the model or the optimizer.
        """
        self.state.load_state_dict({**found["training"], "model": weights})
        self.selection.load_state_dict(found["selection"], best, self.state)
        self.history = list(found["history"])
        self.clock.train_seconds, self.clock.eval_seconds = found["seconds"]["train"], found["seconds"]["eval"]
        self.memory.take_over(found.get("peak_memory_mib"))
