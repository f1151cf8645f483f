"""Runs that are repeats of each other: the same config, data and weights, up to their seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.runs.collect import RunFiles
from qaexp.runs.formats import dotted
from qaexp.runs.identity import canonical_json, without_keys

SEED_KEYS = ("seed", "seeds.subset", "seeds.init", "seeds.order", "seeds.dropout")
"""What repeats may differ in; `seeds.dev` chooses the questions, so that other ones are another measurement."""
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Group:
    """Repeats of one config.

    Attributes:
        name: What sets it apart from the other groups.
        changes: The same, by dotted key.
        run_ids: Its runs.
        n: How many.
        metrics: Name to `{"mean", "sd", "n"}` over the runs that have it; sd is None for one run.
    """

    name: str
    changes: Mapping[str, Any]
    run_ids: Sequence[str]
    n: int
    metrics: Mapping[str, Mapping[str, float | int | None]]


def group_runs(runs: Sequence[RunFiles], metrics: Sequence[str], neutral: frozenset[str]) -> list[Group]:
    """Group completed runs over their seeds.

    Args:
        runs: Completed runs.
        metrics: Names of numbers of summary.json.
        neutral: Dotted keys of the config that cannot change results.

    Returns:
        The groups, in the order of their first runs.
    """
    found: dict[str, list[RunFiles]] = {}
    for run in runs:
        kept = without_keys(run.config, {*neutral, *SEED_KEYS})
        found.setdefault(canonical_json({"config": kept, "inputs": run.run.get("inputs", {})}), []).append(run)
    groups = list(found.values())
    settings = [_settings(group[0], neutral) for group in groups]
    differing = [
        key
        for key in dict.fromkeys(key for leaves in settings for key in leaves)
        if len({repr(leaves.get(key)) for leaves in settings}) > 1
    ]
    return [
        _group(group, {key: leaves.get(key) for key in differing}, metrics)
        for group, leaves in zip(groups, settings, strict=True)
    ]


def _settings(run: RunFiles, neutral: frozenset[str]) -> dict[str, Any]:
    """What may set a group apart, by dotted key; of the content of data and weights the first digits of its hash."""
    inputs = {key: str(value)[:_DIGITS] for key, value in dotted(run.run.get("inputs", {})).items()}
    return {
        **dotted(without_keys(run.config, {*neutral, *SEED_KEYS})),
        **{f"inputs.{key}": inputs[key] for key in inputs},
    }


def _group(runs: Sequence[RunFiles], changes: Mapping[str, Any], metrics: Sequence[str]) -> Group:
    return Group(
        name=" ".join(f"{key}={value}" for key, value in changes.items()) or "all runs",
        changes=changes,
        run_ids=[run.run_id for run in runs],
        n=len(runs),
        metrics={name: _statistics([(run.summary or {}).get(name) for run in runs]) for name in metrics},
    )


def _statistics(values: Sequence[Any]) -> dict[str, float | int | None]:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return {
        "mean": statistics.fmean(numbers) if numbers else None,
        "sd": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "n": len(numbers),
    }
