"""Whether the learning rate of a training stayed near zero, and why."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.training.flags import Flag, Row

# Below this share of optimizer.lr, a run is effectively one with another rate: rates that people try differ by a factor
# of two or more (1e-4, 2e-4, 5e-4).
LOW_RATE_SHARE = 0.5


def _zero_learning_rate(steps: Sequence[Row], num_train_features: int) -> Flag | None:
    """The learning rate stays 0 for an epoch's features or more, until the end."""
    begin, before = None, 0
    for row in steps:
        if row["learning_rate"] > 0:
            begin, before = None, int(row["num_features"])
        elif begin is None:
            begin = int(row["step"])
    if begin is None or int(steps[-1]["num_features"]) - before < num_train_features:
        return None
    return Flag(
        "zero_learning_rate",
        begin,
        "The learning rate is 0 for an epoch or more, so that nothing was learned in it: set schedule.total_epochs to "
        "null or to trainer.epochs, or train fewer epochs.",
    )


def learning_rate_flag(
    steps: Sequence[Row], num_train_features: int, peak: float | None, num_steps: int, schedule: Row
) -> Flag | None:
    """The learning rate stays 0, or never came near `optimizer.lr`; usually the run ends during warm-up."""
    zero = _zero_learning_rate(steps, num_train_features)
    if peak is None or peak >= LOW_RATE_SHARE or (zero is not None and peak > 0):
        return zero
    advice = (
        f"The rate reached {100 * peak:.2g} % of optimizer.lr: {_why_low(num_steps, schedule)}, so that hardly "
        "anything was learned; shorten the warm-up, or train longer."
    )
    return Flag("low_learning_rate", num_steps, advice) if zero is None else Flag(zero.name, zero.step, advice)


def _why_low(num_steps: int, schedule: Row) -> str:
    given = [name for name in ("warmup_steps", "warmup_ratio", "total_epochs") if schedule.get(name)]
    words = " with ".join(f"schedule.{name}={schedule[name]}" for name in given)
    steps = "1 step" if num_steps == 1 else f"{num_steps} steps"
    if (schedule.get("warmup_steps") or 0) > num_steps:
        return f"{words} is more than the {steps} of the run"
    if words:
        return f"the warm-up ({words}) is not over when the run ends, after {steps}"
    return f"the schedule does not get there in the {steps} of the run"
