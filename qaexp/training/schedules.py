"""The node `schedule`: the learning rate over the planned steps."""

from __future__ import annotations

import math
from collections.abc import Callable

from qaexp.errors import ConfigError


class Horizon:
    """How many steps a training lasts, known before it starts.

    Args:
        steps_of: Steps of an epoch (0-based); epochs may differ, because batches are redrawn.
        epochs: Epochs of the training.
        max_steps: The training stops here if its epochs last longer.
    """

    def __init__(self, steps_of: Callable[[int], int], *, epochs: int, max_steps: int | None) -> None:
        self._steps_of = steps_of
        self._known: list[int] = []
        self._max_steps = max_steps
        self.total = self.steps(epochs)

    def steps(self, epochs: float) -> int:
        """Steps of the first `epochs` epochs, at most `max_steps`; a partial epoch is rounded down.

        >>> Horizon(lambda epoch: 10, epochs=3, max_steps=None).steps(1.55)
        15
        >>> Horizon(lambda epoch: 10, epochs=3, max_steps=25).total
        25
        """
        whole, steps = math.floor(epochs), 0
        for epoch in range(whole):
            if self._max_steps is not None and steps >= self._max_steps:
                return self._max_steps
            steps += self._epoch(epoch)
        if epochs > whole:
            steps += math.floor((epochs - whole) * self._epoch(whole))
        return steps if self._max_steps is None else min(steps, self._max_steps)

    def _epoch(self, epoch: int) -> int:
        while len(self._known) <= epoch:
            self._known.append(self._steps_of(len(self._known)))
        return self._known[epoch]


def linear(
    horizon: Horizon,
    *,
    total_epochs: float | None = None,
    warmup_ratio: float | None = None,
    warmup_steps: int | None = None,
) -> Callable[[int], float]:
    """Up from 0 during warm-up, then down to 0, like transformers' get_linear_schedule_with_warmup.

    Args:
        horizon: The steps of the training.
        total_epochs: Epochs after which the rate is 0; None: the trained epochs.
        warmup_ratio: Share of those steps in which the rate rises.
        warmup_steps: The same in steps; at most one of the two is set.

    Returns:
        A function from the steps done to the factor of the next step's learning rate.

    >>> rate = linear(Horizon(lambda epoch: 5, epochs=2, max_steps=None), warmup_steps=2)
    >>> [rate(step) for step in (0, 1, 2, 6, 10, 11)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    total, warmup = _layout(horizon, total_epochs, warmup_ratio, warmup_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(1, warmup)
        return max(0.0, (total - step) / max(1, total - warmup))

    return factor


def cosine(
    horizon: Horizon,
    *,
    total_epochs: float | None = None,
    warmup_ratio: float | None = None,
    warmup_steps: int | None = None,
) -> Callable[[int], float]:
    """Up from 0 during warm-up, then down to 0 along half a cosine (Loshchilov and Hutter, 2017); see `linear`.

    >>> rate = cosine(Horizon(lambda epoch: 8, epochs=1, max_steps=None))
    >>> [round(rate(step), 4) for step in (0, 2, 4, 8, 9)]
    [1.0, 0.8536, 0.5, 0.0, 0.0]
    """
    total, warmup = _layout(horizon, total_epochs, warmup_ratio, warmup_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return step / max(1, warmup)
        done = min(1.0, (step - warmup) / max(1, total - warmup))
        return 0.5 * (1.0 + math.cos(math.pi * done))

    return factor


def constant(
    horizon: Horizon,
    *,
    total_epochs: float | None = None,
    warmup_ratio: float | None = None,
    warmup_steps: int | None = None,
) -> Callable[[int], float]:
    """Up from 0 during warm-up, then constant; see `linear`.

    Raises:
        ConfigError: `total_epochs` is set, which without a warm-up ratio has no effect.

    >>> rate = constant(Horizon(lambda epoch: 10, epochs=2, max_steps=None), warmup_ratio=0.1)
    >>> [rate(step) for step in (0, 1, 2, 50)]
    [0.0, 0.5, 1.0, 1.0]
    """
    if total_epochs is not None and not warmup_ratio:
        raise ConfigError(
            f"schedule.total_epochs={total_epochs} has no effect on a constant rate without schedule.warmup_ratio; "
            "set it to null"
        )
    _, warmup = _layout(horizon, total_epochs, warmup_ratio, warmup_steps)
    return lambda step: min(1.0, step / max(1, warmup)) if warmup else 1.0


def _layout(
    horizon: Horizon, total_epochs: float | None, warmup_ratio: float | None, warmup_steps: int | None
) -> tuple[int, int]:
    """The steps until the end of the schedule, and its warm-up steps (a ratio is rounded up, as transformers does)."""
    if warmup_steps is not None and warmup_ratio:
        raise ConfigError(
            f"schedule.warmup_steps={warmup_steps} and schedule.warmup_ratio={warmup_ratio} contradict each other; "
            "set one of them to null"
        )
    total = horizon.total if total_epochs is None else horizon.steps(total_epochs)
    if warmup_steps is None:
        warmup_steps = math.ceil(total * (warmup_ratio or 0.0))
    return total, warmup_steps
