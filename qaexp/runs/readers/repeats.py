"""Runs that are repeats of each other: the same config, data and weights, up to their seeds."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaexp.nodes import with_unwritten
from qaexp.runs.identity import canonical_json, sized, without_keys
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.group_names import group_names
from qaexp.runs.trust import is_edited
from qaexp.storage.evaluation_sets import KEY, split_of
from qaexp.storage.formats import dotted
from qaexp.storage.sources import FILES

SEED_KINDS = ("subset", "init", "order", "dropout")
# What repeats may differ in; `seeds.dev` chooses the questions, so that other ones are another measurement.
SEED_KEYS = ("seed", *(f"seeds.{kind}" for kind in SEED_KINDS))
# A part of the identity, as it always was, that cannot change a score: what is asked beside the dev questions.
_UNTOLD = frozenset({"probes"})

_DIGITS = 8
_OF_DATA = "inputs.data."
# A set of `data.mix` is a file, or has one.
_NAMES_OF_MIX = re.compile(r"data\.mix\.[^.]+(\.file)?")
# The keys that say where content comes from; the content itself is what counts.
_NAMED_BY = {
    "inputs.weights.": ("model.checkpoint", "model.revision"),
    _OF_DATA: (*(f"data.{key}" for key in FILES), "data.revision"),
}
_SETS = f"{KEY}."


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
    """Group completed runs over their seeds; of those with the same settings and seeds the first one counts.

    Args:
        runs: Completed runs.
        metrics: Names of numbers of summary.json.
        neutral: Dotted keys of the config that cannot change results.

    Returns:
        The groups, in the order of their first runs.
    """
    groups = gather(distinct(runs, neutral)[0], neutral)
    changes = differing([settings(group[0], neutral) for group in groups])
    names = group_names(groups, changes)
    return [_group(*told, metrics) for told in zip(groups, names, changes, strict=True)]


def gather(runs: Sequence[RunFiles], neutral: frozenset[str]) -> list[list[RunFiles]]:
    """Put runs together that are equal up to their seeds, in the order of their first runs.

    Raises:
        ValueError: A config holds a number that is not finite.
    """
    found: dict[str, list[RunFiles]] = {}
    for run in runs:
        found.setdefault(_settings_key(run, neutral), []).append(run)
    return list(found.values())


def seeds_of(run: RunFiles) -> tuple[Any, ...]:
    """The seeds of subset, init, order and dropout, those that are not set apart being `seed`."""
    own = run.config.get("seeds")
    own = own if isinstance(own, Mapping) else {}
    found = (own.get(kind, run.config.get("seed")) for kind in SEED_KINDS)
    return tuple(seed if isinstance(seed, int | float | str | None) else repr(seed) for seed in found)


def distinct(
    runs: Sequence[RunFiles], neutral: frozenset[str]
) -> tuple[list[RunFiles], list[tuple[RunFiles, RunFiles]]]:
    """Runs of which no two have the same settings and seeds: whoever runs a seed again observes nothing new.

    Of several, the one that was started first counts, whatever they are called and wherever they lie; one whose numbers
    were changed afterwards only where there is no other.

    Args:
        runs: Completed runs.
        neutral: Dotted keys that cannot change results.

    Returns:
        The runs that count, in their order, and each repeat with the run that counts in its place.
    """
    found: dict[str, list[RunFiles]] = {}
    for run in runs:
        try:
            key = _settings_key(run, neutral) + repr(seeds_of(run))
        except ValueError:
            # A number that is not finite: no other run is known to have the same.
            key = str(run.path)
        found.setdefault(key, []).append(run)
    first = {key: min(several, key=_age) if len(several) > 1 else several[0] for key, several in found.items()}
    kept = {id(run) for run in first.values()}
    repeats = [(run, first[key]) for key, several in found.items() for run in several if run is not first[key]]
    return [run for run in runs if id(run) in kept], repeats


def settings(run: RunFiles, neutral: frozenset[str], *, with_seeds: bool = False) -> dict[str, Any]:
    """What may set a run apart, by dotted key; of the content of data and weights the first digits of its hash."""
    inputs = {key: str(value)[:_DIGITS] for key, value in dotted(_inputs(run)).items()}
    whole = with_unwritten(run.config)
    config = dotted(whole)
    return {
        **{key: config[key] for keys in _NAMED_BY.values() for key in keys if key in config},
        **{key: value for key, value in config.items() if key.startswith(_SETS)},
        **dotted(without_keys(whole, {*neutral, *_UNTOLD, *(() if with_seeds else SEED_KEYS)})),
        **{f"inputs.{key}": value for key, value in inputs.items()},
    }


def leaves(run: RunFiles) -> dict[str, Any]:
    """The config of a run by dotted key; a key that it lacks since it was none then is told by what it stood for."""
    return dotted(with_unwritten(run.config))


def differing(several: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of several settings, what each has under the keys that are not alike in all.

    Weights and data are named by where they come from, and by their hash where that is the same.

    >>> differing([{"lr": 1, "seed": 0}, {"lr": 2, "seed": 0}])
    [{'lr': 1}, {'lr': 2}]
    """
    keys = [
        key
        for key in dict.fromkeys(key for one in several for key in one)
        if len({repr(one.get(key)) for one in several}) > 1
    ]
    for content, name in _set_places(one for several_of in several for one in several_of).items():
        # A set is named by the place of its file, or by its content where the place is the same.
        leaving = content if {content, name} <= set(keys) else name
        keys = [key for key in keys if key != leaving]
    for content, names in _NAMED_BY.items():
        # Another place is no other content; and other content is named by its place where that is another one.
        has_changed = any(key.startswith(content) for key in keys)
        told = [key for key in keys if key in names or (content == _OF_DATA and _NAMES_OF_MIX.fullmatch(key))]
        keys = [key for key in keys if (key not in told or has_changed) and not (told and key.startswith(content))]
    return [{key: one.get(key) for key in keys} for one in several]


def _set_places(keys: Iterable[str]) -> dict[str, str]:
    """The key with the content of each evaluation set, and the one with its place."""
    names = dict.fromkeys(key.removeprefix(_SETS) for key in keys if key.startswith(_SETS))
    return {f"inputs.data.{split_of(name)}_sha256": f"{_SETS}{name}" for name in names}


def with_all_keys(changes: Mapping[str, Any]) -> str:
    """What sets a group apart, each key in full: a name that says the same whatever stands beside it."""
    return " ".join(f"{key}={value}" for key, value in changes.items()) or "all runs"


def _settings_key(run: RunFiles, neutral: frozenset[str]) -> str:
    """What repeats share; a key that is null is as one that is not there."""
    kept = dotted(without_keys(sized(run.config), {*neutral, *_UNTOLD, *SEED_KEYS}))
    told = {key: value for key, value in kept.items() if value is not None}
    return canonical_json({"config": told, "inputs": run.run.get("inputs", {})})


def _age(run: RunFiles) -> tuple[bool, str, str, str]:
    """Sorts the run that was started first to the front; equal ones by what they hold, the same wherever they lie."""
    return is_edited(run.path, run.run) or False, str(run.run.get("started") or ""), repr(run.summary), str(run.path)


def _inputs(run: RunFiles) -> Mapping[str, Any]:
    inputs = run.run.get("inputs")
    return inputs if isinstance(inputs, Mapping) else {}


def _group(runs: Sequence[RunFiles], name: str, changes: Mapping[str, Any], metrics: Sequence[str]) -> Group:
    return Group(
        name=name,
        changes=changes,
        run_ids=[run.run_id for run in runs],
        n=len(runs),
        metrics={name: _statistics([(run.summary or {}).get(name) for run in runs]) for name in metrics},
    )


def _statistics(values: Sequence[Any]) -> dict[str, float | int | None]:
    numbers = [float(value) for value in values if is_number(value)]
    return {
        "mean": statistics.fmean(numbers) if numbers else None,
        "sd": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "n": len(numbers),
    }
