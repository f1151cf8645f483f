"""Which number at an epoch's end tells how a trial is going to end, and what is said when it is given up."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.runs.directory import HISTORY
from qaexp.runs.metrics import EPOCHS, number_of
from qaexp.runs.number import HIGHER, LOWER
from qaexp.storage.reading import read_table

MAXIMIZE, MINIMIZE = "maximize", "minimize"


@dataclass(frozen=True, slots=True)
class Watched:
    """What a search looks at when an epoch of a trial ends.

    Attributes:
        objective: A number of summary.json.
        metric: A column of history.csv: the objective itself, or what stands for it.
        way: `maximize` or `minimize`, that of the objective.
    """

    objective: str
    metric: str
    way: str


def watched_number(objectives: Mapping[str, str]) -> tuple[Watched | None, str]:
    """Find what tells at an epoch's end how the objective is going to be.

    Returns:
        It, or None and the reason why there is nothing of the kind.

    >>> watched_number({"train_loss": "minimize"})
    (Watched(objective='train_loss', metric='train_loss', way='minimize'), '')
    >>> watched_number({"train_seconds": "minimize"})
    (None, 'train_seconds has no value per epoch')
    """
    if len(objectives) != 1:
        return None, f"there are {len(objectives)} objectives, and a trial can be good in one of them alone"
    ((name, way),) = objectives.items()
    row = number_of(name)
    if EPOCHS in row.shown_in:
        return Watched(name, name, way), ""
    if row.stand_in and way == MAXIMIZE:
        return Watched(name, row.stand_in, way), ""
    # A threshold is tuned for the highest score: that a low one at threshold 0 leads to a low one there is not known.
    more = ", and what stands for it does so only where it is maximized" if row.stand_in else ""
    return None, f"{name} has no value per epoch{more}"


def odd_ways(objectives: Mapping[str, str]) -> list[str]:
    """A sentence for each objective that is searched in the direction in which it is worse.

    >>> odd_ways({"f1": "maximize", "train_loss": "maximize"})
    ['train_loss is better when lower: hydra.sweeper.objectives.train_loss=maximize looks for the worst']
    """
    good = {HIGHER: MAXIMIZE, LOWER: MINIMIZE}
    found = []
    for name, way in objectives.items():
        better = number_of(name).better
        if better is not None and good[better] != way:
            found.append(f"{name} is better when {better}: hydra.sweeper.objectives.{name}={way} looks for the worst")
    return found


def ended_epochs(run: Path, metric: str) -> dict[int, float]:
    """What a run had at the end of each of its epochs; nothing for one without a finite number.

    Evaluations inside an epoch are left out: where they stand depends on values that may be searched.

    Args:
        run: A run directory, whose run may be at work.
        metric: A column of history.csv.
    """
    try:
        rows = read_table(run / HISTORY, ("probe_",))
    except (FileNotFoundError, IntegrityError):
        return {}
    found = {}
    for row in rows:
        epoch, value = _finite(row.get("epoch")), _finite(row.get(metric))
        if epoch is not None and value is not None and epoch >= 1 and epoch.is_integer():
            found[int(epoch)] = value
    return found


def given_up(watched: Watched, epoch: int, best: float, others: Sequence[float], *, of: str = "") -> str:
    """Say why a trial is given up.

    Args:
        watched: What was looked at.
        epoch: After which epoch.
        best: The best value of the trial up to then.
        others: What the completed trials had after the same epoch.
        of: The seeds of the run that was looked at, where there are others.
    """
    is_lower = watched.way == MINIMIZE
    name = watched.metric if not of else f"{watched.metric} of {of}"
    median = statistics.median(others) if others else None
    shown, other = _told_apart(best, median)
    words = f"given up after epoch {epoch}: {'lowest' if is_lower else 'highest'} {name} so far {shown}"
    if median is not None:
        words += f", {'above' if is_lower else 'below'} the median {other} of {len(others)} completed trials there"
    stands = "" if watched.metric == watched.objective else f", {watched.metric} stands for it"
    return f"{words} ({watched.objective}: {watched.way}{stands})"


def _told_apart(value: float, other: float | None) -> tuple[str, str]:
    """Both in so many digits that two that differ do not look alike."""
    for digits in (4, 6, 9):
        words = f"{value:.{digits}g}", "" if other is None else f"{other:.{digits}g}"
        if words[0] != words[1]:
            return words
    return repr(value), repr(other)


def _finite(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else None
