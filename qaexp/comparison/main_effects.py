"""The effect of each swept key with the others held equal; keys whose effects runs cannot separate are named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qaexp.comparison.entries import Entry
from qaexp.comparison.groups import Group
from qaexp.comparison.statistics.difference import LEVEL, quantile

Floats = npt.NDArray[np.float64]

MAX_LEVELS = 24
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a key's value on a metric, the other keys being equal.

    Attributes:
        key: The swept key.
        value: One of its values.
        n: How many runs have it.
        effect: The metric's distance from the mean over the key's values, in its unit.
        low: Lower end of the 95 % interval; None if no degrees of freedom are left to estimate it.
        high: Upper end.
    """

    key: str
    value: str
    n: int
    effect: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects that the runs determine.

    Attributes:
        rows: A row for each value of each key.
        aliased: Keys whose effects the runs cannot separate; they have no rows.
    """

    rows: Sequence[Effect] = ()
    aliased: Sequence[str] = ()


def main_effects(groups: Sequence[Group], metric: str) -> Effects:
    """An additive model of the metric by least squares: each swept key's values, and the seeds where all share them.

    A key that only one choice of a node has belongs to that choice. Keys that always change together are one key here,
    under the names of all. An effect is given if the runs determine it: its columns are not a combination of the
    others. Groups that answer nothing are left out, since their scores show no skill. If seeds are crossed or nested,
    runs are not independent observations, and no interval is given.
    """
    groups = [group for group in groups if not group.is_collapsed]
    rows = [(group, entry) for group in groups for entry in group.entries if metric in entry.metrics]
    keys = _separate_keys(groups)
    if not keys or len(rows) < 3:
        return Effects()
    columns = {key: _coded([values[id(group)] for group, _ in rows]) for key, values in keys.items()}
    others = np.stack([np.ones(len(rows)), *_seed_columns(groups, rows)], axis=1)
    determined = [key for key in keys if _is_determined(key, columns, others)]
    design = np.concatenate([others, *columns.values()], axis=1)
    y = np.array([entry.metrics[metric] for _, entry in rows])
    fit = _Fit(design, y, has_spread=all(_is_plain(group) for group in groups))
    found, place = [], others.shape[1]
    for key, values in keys.items():
        count = columns[key].shape[1]
        if key in determined:
            labels = [values[id(group)] for group, _ in rows]
            found += [
                Effect(key, level, labels.count(level), *fit.effect(place, count, number))
                for number, level in enumerate(dict.fromkeys(labels))
            ]
        place += count
    return Effects(found, [key for key in keys if key not in determined])


class _Fit:
    """Least squares, with the residual variance."""

    def __init__(self, design: Floats, y: Floats, *, has_spread: bool) -> None:
        self._inverse = np.linalg.pinv(design.T @ design)
        self._beta = self._inverse @ design.T @ y
        self._df = len(y) - int(np.linalg.matrix_rank(design))
        left = float(np.sum((y - design @ self._beta) ** 2))
        # A residual of rounding errors alone is not an estimate of chance.
        is_exact = left <= _ROUNDING * max(1.0, float(np.sum(y**2)))
        self._variance = left / self._df if has_spread and self._df > 0 and not is_exact else None

    def effect(self, place: int, count: int, number: int) -> tuple[float, float | None, float | None]:
        """The effect of a value and its interval; effects sum to zero over a key's values, the last one follows."""
        weights = np.zeros(len(self._beta))
        weights[place : place + count] = -1.0 if number == count else 0.0
        if number < count:
            weights[place + number] = 1.0
        effect = float(weights @ self._beta)
        if self._variance is None:
            return effect, None, None
        error = math.sqrt(max(float(weights @ self._inverse @ weights), 0.0) * self._variance)
        half = quantile(self._df, (1 + LEVEL) / 2) * error
        return effect, effect - half, effect + half


def _is_plain(group: Group) -> bool:
    """Whether each run has a seed of its own: the residuals of the model are then the effect of seeds."""
    design = group.design
    return not (design.problem or design.is_crossed or design.num_nested > 1 or design.num_settings > 1)


def _is_determined(key: str, columns: Mapping[str, Floats], others: Floats) -> bool:
    rest = np.concatenate([others, *(part for name, part in columns.items() if name != key)], axis=1)
    whole = np.concatenate([rest, columns[key]], axis=1)
    return bool(np.linalg.matrix_rank(whole) - np.linalg.matrix_rank(rest) == columns[key].shape[1])


def _separate_keys(groups: Sequence[Group]) -> dict[str, dict[int, str]]:
    """The swept keys and each group's value, those that always change together as one under the names of all."""
    patterns: dict[tuple[int, ...], list[str]] = {}
    texts: dict[str, list[str]] = {}
    for key in _own_keys(groups):
        texts[key] = [str(group.changes.get(key)) for group in groups]
        pattern = tuple(texts[key].index(text) for text in texts[key])
        if 1 < len(set(pattern)) <= MAX_LEVELS:
            patterns.setdefault(pattern, []).append(key)
    found = {}
    for keys in patterns.values():
        values = [" ".join(parts) for parts in zip(*(texts[key] for key in keys), strict=True)]
        found[" + ".join(keys)] = {id(group): value for group, value in zip(groups, values, strict=True)}
    return found


def _own_keys(groups: Sequence[Group]) -> list[str]:
    """The keys that differ, without those that not all groups have because another choice of their node has them."""
    keys = list(dict.fromkeys(key for group in groups for key in group.changes))
    chosen = [key.removesuffix("_target_") for key in keys if key.endswith("._target_")]
    return [
        key
        for key in keys
        if key.endswith("._target_")
        or all(key in group.settings for group in groups)
        or not any(key.startswith(node) for node in chosen)
    ]


def _coded(values: Sequence[str]) -> Floats:
    """Columns of the design, one a value but the last: 1 for the value, -1 for the last one, 0 for the others."""
    levels = list(dict.fromkeys(values))
    return np.array(
        [[1.0 if value == level else -1.0 if value == levels[-1] else 0.0 for level in levels[:-1]] for value in values]
    )


def _seed_columns(groups: Sequence[Group], rows: Sequence[tuple[Group, Entry]]) -> list[Any]:
    """Columns for the seeds if every group has the same ones: their common effect is then not counted as chance."""
    seeds = groups[0].seeds
    if len(seeds) < 2 or any(group.seeds != seeds for group in groups) or len(rows) < len(groups) * len(seeds):
        return []
    return list(_coded([repr(entry.seeds) for _, entry in rows]).T)
