"""What a search found: its best trials, in words that do not praise one that answers nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.runs.metrics import number_of
from qaexp.sweeps.optuna.pruning import MAXIMIZE


@dataclass(frozen=True, slots=True)
class Found:
    """A completed trial.

    Attributes:
        values: Of each objective, the mean over its runs.
        params: The values that it was drawn.
        run_ids: Its runs.
    """

    values: Sequence[float]
    params: Mapping[str, Any]
    run_ids: Sequence[str]


def best_lines(trials: Sequence[Found], objectives: Mapping[str, str], collapsed: Collection[str]) -> list[str]:
    """Name the best trial; after one that answers nothing also the best of those that answer.

    Args:
        trials: With one objective all completed trials; with several those that no other one beats in all of them.
        objectives: Name to `maximize` or `minimize`.
        collapsed: The ids of the runs that answer nothing.
    """
    if len(objectives) != 1:
        same: dict[tuple[float, ...], list[Found]] = {}
        for trial in trials:
            same.setdefault(tuple(trial.values), []).append(trial)
        return [
            f"best: {_told(equals[0], objectives, collapsed)}{_equals(len(equals) - 1)}" for equals in same.values()
        ]
    answering = [trial for trial in trials if not set(trial.run_ids) & set(collapsed)]
    lines = []
    if trials:
        value = _best(trials, objectives)
        equals = [trial for trial in trials if trial.values[0] == value]
        chosen = next((trial for trial in equals if trial in answering), equals[0])
        lines.append(f"best: {_told(chosen, objectives, collapsed)}{_equals(len(equals) - 1)}")
        if chosen not in answering and answering:
            value = _best(answering, objectives)
            chosen = next(trial for trial in answering if trial.values[0] == value)
            lines.append(f"best that answers: {_told(chosen, objectives, collapsed)}")
    return lines


def _best(trials: Sequence[Found], objectives: Mapping[str, str]) -> float:
    (way,) = objectives.values()
    return (max if way == MAXIMIZE else min)(trial.values[0] for trial in trials)


def _equals(more: int) -> str:
    return f"; {more} more with the same value" if more else ""


def _told(trial: Found, objectives: Mapping[str, str], collapsed: Collection[str]) -> str:
    values = [
        f"{name} {number_of(name).shown(value)} ({way})"
        for (name, way), value in zip(objectives.items(), trial.values, strict=True)
    ]
    params = " ".join(f"{key}={_written(value)}" for key, value in trial.params.items())
    num_silent = sum(run_id in collapsed for run_id in trial.run_ids)
    silent = (
        f"; it answers nothing in {num_silent} of {len(trial.run_ids)} runs (null_collapse), at threshold 0 or at "
        "their tuned one: their score there is the share of questions without an answer"
        if num_silent
        else ""
    )
    return f"{', '.join(values)} with {params}{silent}"


def _written(value: Any) -> str:
    """A drawn value; its last digits stand in the folders of the runs."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
