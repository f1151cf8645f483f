"""The training so far: all that changes while a run trains, which a checkpoint is made from and restored into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from qaexp.evaluation.question_set import Scored
from qaexp.training.clock import Clock
from qaexp.training.peak import PeakMemory
from qaexp.training.processes import agreed_object
from qaexp.training.selection import Selection
from qaexp.training.state import TrainState

Row = dict[str, Any]
Weights = dict[str, Tensor]


@dataclass(slots=True)
class TrainingSoFar:
    """A training as the run around it knows it.

    What was recorded, evaluated and stored is noted here as soon as it is done, and not only when the loop goes on: a
    signal may come in between, and a checkpoint must say what the files hold.

    Attributes:
        state: The training itself: weights, optimizer, place.
        selection: Which evaluation's weights are kept, and whether there is anything left to hope for.
        memory: The peak.
        clock: Seconds of training and of evaluation.
        steps: The lines of metrics.jsonl.
        history: The rows of history.csv.
        scored: The dev questions as the last evaluation answered them; None before this attempt has made one.
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
        """No step follows: none is left, or nothing got better for too long."""
        return self.state.is_finished or self.selection.is_over

    @property
    def kept_row(self) -> Row:
        """The row of history.csv of the weights that are kept."""
        return next(row for row in reversed(self.history) if row["epoch"] == self.selection.kept_epoch)

    def recorded(self, line: Row) -> None:
        """Take note of a line of metrics.jsonl that was written."""
        self.steps.append(line)
        self.state.recorded()

    def evaluated(self, row: Row, scored: Scored) -> None:
        """Take note of a row of history.csv that was written, and of what the model answered for it."""
        self.history.append(row)
        self.scored = scored
        self.clock.eval_seconds += scored.eval_seconds
        self.selection.see(row["epoch"], agreed_object(row["f1"]), self.state)
        self.state.evaluated()

    def timing(self) -> Row:
        """A line of timings.jsonl."""
        peak = self.memory.mib()
        reading = self.clock.reading(self.state.step, self.state.num_tokens, self.state.num_features)
        return {**reading, "memory_mib": None if peak is None else round(peak, 1)}

    def weights(self) -> tuple[Weights, Weights | None]:
        """The weights, and the ones that are kept where they are others; not copied."""
        return self.state.model.state_dict(), self.selection.best_weights(self.state)

    def state_dict(self, elapsed_seconds: float) -> dict[str, Any]:
        """All but the weights, as a tree of tensors (not copied) and plain values.

        Args:
            elapsed_seconds: Of the whole run, which this knows nothing of.
        """
        training = {name: part for name, part in self.state.state_dict().items() if name != "model"}
        if self.is_over:
            # Two thirds of the bytes, and nothing will be trained any more.
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
        """Go on from what `state_dict` and `weights` gave in a training with the same config.

        Raises:
            RuntimeError, ValueError, KeyError: It does not fit the model or the optimizer.
        """
        self.state.load_state_dict({**found["training"], "model": weights})
        self.selection.load_state_dict(found["selection"], best, self.state)
        self.history = list(found["history"])
        self.clock.train_seconds, self.clock.eval_seconds = found["seconds"]["train"], found["seconds"]["eval"]
        self.memory.take_over(found.get("peak_memory_mib"))
