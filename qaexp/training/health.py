"""What went wrong in a training, found in its records: flags, each with a step and one sentence of advice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, median

from qaexp.training.flags import Flag, Row
from qaexp.training.rate_flags import learning_rate_flag

# A record is compared with the median of the records before it: at most and at least this many.
_WINDOW, _FEWEST = 20, 5
_SPIKE_RATIO = 2.0
_SPIKE_HEIGHT = 1.0
_EXPLOSION_RATIO = 10.0
_OVERFIT_POINTS = 3.0


def find_flags(
    steps: Sequence[Row],
    history: Sequence[Row],
    *,
    num_train_features: int,
    num_skipped: int = 0,
    keeps_best: bool = False,
    peak_rate: float | None = None,
    schedule: Row | None = None,
) -> list[Flag]:
    """Look for signs that a training went wrong.

    Args:
        steps: Rows of metrics.jsonl, in order.
        history: Rows of history.csv, in order, with step, train_loss and f1.
        num_train_features: Features of one epoch.
        num_skipped: Steps whose update was skipped because it was not finite (`trainer.on_nan`).
        keeps_best: Whether the weights of the best evaluation are kept.
        peak_rate: The highest learning rate of the steps as a share of `optimizer.lr`; None where nothing was trained.
        schedule: The config's node `schedule`, for the advice.

    Returns:
        The raised flags, in a fixed order.

    >>> rows = [{"step": 1, "loss": 5.0, "learning_rate": 0.0, "grad_norm": 1.0, "num_features": 100}]
    >>> [flag.name for flag in find_flags(rows, [], num_train_features=100)]
    ['zero_learning_rate']
    """
    last_step = max((int(row["step"]) for row in (*steps, *history)), default=0)
    flags = [
        learning_rate_flag(steps, num_train_features, peak_rate, last_step, schedule or {}),
        _not_finite(steps, last_step, num_skipped),
        _loss_not_falling(steps),
        _overfit_gap(history, keeps_best=keeps_best),
        _loss_spike(steps),
        _gradient_explosion(steps),
    ]
    return [flag for flag in flags if flag is not None]


def _not_finite(steps: Sequence[Row], last_step: int, num_skipped: int) -> Flag | None:
    """A loss is NaN or infinite; a gradient norm of None was skipped by fp16's loss scaling."""
    if num_skipped:
        return Flag(
            "not_finite",
            last_step,
            f"The loss or its gradient was NaN or infinite in {num_skipped} steps, which were left out: lower "
            "optimizer.lr, or set trainer.precision=fp32.",
        )
    for row in steps:
        values = (row["loss"], row["grad_norm"])
        if any(value is not None and not math.isfinite(value) for value in values):
            return Flag("not_finite", int(row["step"]), not_finite_advice())
    return None


def not_finite_advice() -> str:
    """Advice against NaN and infinity."""
    return "The loss or its gradient is NaN or infinite: lower optimizer.lr, or set trainer.precision=fp32."


def _loss_not_falling(steps: Sequence[Row]) -> Flag | None:
    """The mean loss of the last quarter of the records is not below that of the first quarter."""
    steps = [row for row in steps if row["loss"] is not None]
    quarter = len(steps) // 4
    if quarter < 2 or fmean(_losses(steps[-quarter:])) < fmean(_losses(steps[:quarter])):
        return None
    return Flag(
        "loss_not_falling",
        int(steps[-quarter]["step"]),
        "The training loss is no lower at the end than at the start: try an optimizer.lr ten times higher or lower.",
    )


def _overfit_gap(history: Sequence[Row], *, keeps_best: bool) -> Flag | None:
    """Dev f1 ends well below its best while the training loss kept falling."""
    rows = [row for row in history if row.get("f1") is not None and row.get("train_loss") is not None]
    speaking = [row for row in rows if not _is_silent(row)]
    if len(rows) < 2 or not speaking:
        return None
    best = max(speaking, key=lambda row: row["f1"])
    if rows[-1]["f1"] > best["f1"] - _OVERFIT_POINTS or rows[-1]["train_loss"] >= best["train_loss"]:
        return None
    return Flag(
        "overfit_gap",
        int(best["step"]),
        "Dev f1 fell after this step while the training loss went on falling: "
        + ("the weights of this step are kept, and" if keeps_best else "set trainer.keep=best,")
        + " fewer epochs or more examples help.",
    )


def _is_silent(row: Row) -> bool:
    """Whether the dev scores are those of answering nothing: not an epoch to go back to."""
    return row.get("has_ans_f1") == 0 and row.get("no_ans_f1") == 100


def _loss_spike(steps: Sequence[Row]) -> Flag | None:
    """A loss is far above the median of those before it."""
    step = _first_outlier(
        [(int(row["step"]), row["loss"]) for row in steps if row["loss"] is not None],
        lambda value, usual: value > _SPIKE_RATIO * usual and value > usual + _SPIKE_HEIGHT,
    )
    if step is None:
        return None
    return Flag(
        "loss_spike",
        step,
        "The training loss jumped here: lower optimizer.lr or trainer.max_grad_norm, or lengthen the warm-up.",
    )


def _gradient_explosion(steps: Sequence[Row]) -> Flag | None:
    """A gradient norm is far above the median of those before it."""
    step = _first_outlier(
        [(int(row["step"]), row["grad_norm"]) for row in steps if row["grad_norm"] is not None],
        lambda value, usual: value > _EXPLOSION_RATIO * usual,
    )
    if step is None:
        return None
    return Flag(
        "gradient_explosion",
        step,
        "The gradient grew to more than ten times its usual norm: lower trainer.max_grad_norm or optimizer.lr.",
    )


def _first_outlier(values: Sequence[tuple[int, float]], is_outlier: Callable[[float, float], bool]) -> int | None:
    """The step of the first value that is an outlier against the median of the values before it."""
    for place in range(_FEWEST, len(values)):
        step, value = values[place]
        usual = median(before for _, before in values[max(0, place - _WINDOW) : place])
        if is_outlier(value, usual):
            return step
    return None


def _losses(rows: Sequence[Row]) -> list[float]:
    return [float(row["loss"]) for row in rows]
