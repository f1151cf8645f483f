"""Which evaluation's weights are kept, and when early stopping applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from qaexp.training.state import TrainState


@dataclass(slots=True)
class Selection:
    """Follows the dev f1 over the evaluations of a training.

    Attributes:
        keep: `last` or `best`.
        patience: Evaluations without a better f1 before training stops; None: it never stops early.
        best_epoch: The epoch of the highest f1; the earliest one on a tie.
        best_f1: That f1, in percent; None before the first evaluation.
        best_step: The step after which it was reached.
        kept_epoch: The epoch whose weights are kept.
    """

    keep: str
    patience: int | None
    best_epoch: float = 0
    best_f1: float | None = None
    best_step: int | None = None
    kept_epoch: float = 0
    _since_best: int = 0
    _best_weights: dict[str, Tensor] | None = None

    def see(self, epoch: float, f1: float, state: TrainState) -> None:
        """Note an evaluation.

        Args:
            epoch: Epochs done; a fraction inside an epoch.
            f1: In percent.
            state: The training; its weights are copied if they are the best so far and `keep` is `best`.
        """
        is_better = self.best_f1 is None or f1 > self.best_f1
        if is_better:
            self.best_epoch, self.best_f1, self.best_step, self._since_best = epoch, f1, state.step, 0
        else:
            self._since_best += 1
        if is_better or self.keep == "last":
            self.kept_epoch = epoch
        if is_better and self.keep == "best":
            self._best_weights = state.snapshot()

    @property
    def is_over(self) -> bool:
        """Whether f1 has not improved for `patience` evaluations."""
        return self.patience is not None and self._since_best >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers; the kept weights are separate (`best_weights`)."""
        return {
            "best_epoch": self.best_epoch,
            "best_f1": self.best_f1,
            "best_step": self.best_step,
            "kept_epoch": self.kept_epoch,
            "since_best": self._since_best,
        }

    def best_weights(self, state: TrainState) -> dict[str, Tensor] | None:
        """The kept weights, where they differ from the model's current ones."""
        return None if state.step == self.best_step else self._best_weights

    def load_state_dict(self, found: Mapping[str, Any], weights: dict[str, Tensor] | None, state: TrainState) -> None:
        """Restore what `state_dict` and `best_weights` returned; without weights, the model has the best ones."""
        self.best_epoch, self.best_f1 = found["best_epoch"], found["best_f1"]
        self.best_step, self.kept_epoch = found["best_step"], found["kept_epoch"]
        self._since_best = int(found["since_best"])
        if self.keep == "best" and self.best_f1 is not None:
            self._best_weights = weights or state.snapshot()

    def restore(self, state: TrainState) -> bool:
        """Put the kept weights into the model.

        Returns:
            Whether they differ from those of the last evaluation.
        """
        if self._best_weights is None or self._since_best == 0:
            return False
        state.model.load_state_dict(self._best_weights)
        return True
