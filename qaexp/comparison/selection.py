"""Which runs are meant: paths and patterns to completed runs, each once, and conditions on them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError
from qaexp.runs.collect import RunFiles, collect
from qaexp.runs.formats import dotted
from qaexp.runs.groups import distinct, gather, seeds_of
from qaexp.runs.metrics import NUMBERS
from qaexp.runs.patterns import expanded

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "==": operator.eq, "=": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(r"\s*([\w.@/-]+?)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*")


_OF_TRAINING = ("train_loss", "null_threshold")
"""Two trainings that end with the same ones, to the last digit, were the same computation."""


def collected(paths: Iterable[str | Path]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The completed runs, each once, sorted; and what was passed over."""
    given = [Path(found) for path in paths for found in expanded(str(path))]
    found = collect(*dict.fromkeys(given))
    runs: dict[Path, RunFiles] = {}
    for run in found.runs:
        runs.setdefault(run.path.resolve(), run)
    kept: dict[str, RunFiles] = {}
    skipped = list(dict.fromkeys(found.skipped))
    for run in sorted(runs.values(), key=lambda run: (str(run.path.resolve()), str(run.path))):
        # A copy, not a repeat: what has other numbers is another run, whatever its identity says.
        content = repr((run.run.get("identity") or run.path.resolve(), run.config, run.summary))
        if content in kept:
            skipped.append((run.path, f"the same run as {kept[content].path}"))
        else:
            kept[content] = run
    return list(kept.values()), skipped


def observed(runs: Sequence[RunFiles], neutral: frozenset[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs of which each is an observation of its own; repeats of the same settings and seeds with the reason."""
    kept, repeats = distinct(runs, neutral)
    try:
        kept, idle = with_effect(kept, neutral)
    except ValueError:
        # A config holds a number that is not finite, and is named when it is examined.
        idle = []
    return kept, [*((run.path, _repeated(run, first)) for run, first in repeats), *idle]


def with_effect(runs: Sequence[RunFiles], neutral: frozenset[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs whose seeds did something; of those that end with the same numbers to the last digit the first counts.

    Dropout seeds of a model without dropout, subset seeds of all the data: such runs are one computation made again.
    """
    kept, left_out = [], []
    for group in gather(runs, neutral):
        first: dict[str, RunFiles] = {}
        for run in sorted(group, key=lambda run: repr(seeds_of(run))):
            known = first.setdefault(_computed(run) or str(run.path), run)
            if known is run:
                kept.append(run)
            else:
                reason = f"other seeds than {known.path}, without effect: the same numbers; one observation"
                left_out.append((run.path, reason))
    places = {id(run): place for place, run in enumerate(runs)}
    return sorted(kept, key=lambda run: places[id(run)]), left_out


def _computed(run: RunFiles) -> str | None:
    """All numbers of a run that do not tell of time and memory; None where none of them tells of the training."""
    summary = run.summary or {}
    found = {name: summary.get(name) for name in NUMBERS if name in _OF_TRAINING or NUMBERS[name].column}
    return repr(found) if all(isinstance(found[name], float) for name in _OF_TRAINING) else None


def _repeated(run: RunFiles, first: RunFiles) -> str:
    seeds = dict.fromkeys(map(repr, seeds_of(run)))
    told = f"seed {next(iter(seeds))}" if len(seeds) == 1 else f"seeds {', '.join(map(repr, seeds_of(run)))}"
    one, other = run.summary or {}, first.summary or {}
    differing = [name for name in NUMBERS if NUMBERS[name].column and one.get(name) != other.get(name)]
    numbers = f"with another {differing[0]}" if differing else "with the same scores"
    return f"a repeat of {first.path}: the same settings and {told}, {numbers}; one observation"


def where(runs: Sequence[RunFiles], conditions: Sequence[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs for which all conditions hold; the others with the first one that does not."""
    parsed = [_condition(text) for text in conditions]
    kept, left_out = [], []
    for run in runs:
        values = {**dotted(run.config), **(run.summary or {})}
        failed = next((text for text, key, test in parsed if not test(values.get(key))), None)
        if failed is None:
            kept.append(run)
        else:
            left_out.append((run.path, f"left out by --where {failed}"))
    for text, key, _ in parsed:
        if runs and not any(key in {**dotted(run.config), **(run.summary or {})} for run in runs):
            raise ConfigError(
                f"--where {text}: no run has the key {key}; keys are those of config.json and summary.json"
            )
    return kept, left_out


def _condition(text: str) -> tuple[str, str, Callable[[Any], bool]]:
    found = _CONDITION.fullmatch(text)
    if not found:
        raise ConfigError(
            f"--where {text!r}: give a key, one of {' '.join(_OPERATORS)} and a value: optimizer.lr>=1e-4"
        )
    key, sign, wanted = found.groups()

    def test(value: Any) -> bool:
        try:
            return _OPERATORS[sign](float(value), float(wanted))
        except (TypeError, ValueError):
            shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            return sign in ("=", "==", "!=") and _OPERATORS[sign](shown, wanted)

    return text, key, test
