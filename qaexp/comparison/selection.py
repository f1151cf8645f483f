"""Finds the runs to compare: completed runs under paths and patterns, each once, that meet the conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.comparison.conditions import Condition, condition, values_shown
from qaexp.comparison.key_lookup import values_of
from qaexp.comparison.originals import original
from qaexp.errors import ConfigError
from qaexp.runs.metrics import RUN, shown_in
from qaexp.runs.readers.collect import RunFiles, collect
from qaexp.runs.readers.patterns import expanded
from qaexp.runs.readers.planned import planned_folders
from qaexp.runs.readers.repeats import distinct, gather, seeds_of
from qaexp.storage.formats import counted

# Two trainings that end with equal values of these, to the last digit, were the same computation.
_OF_TRAINING = ("train_loss", "null_threshold")
# How the reason of a copy begins: the run that it is a copy of is compared.
COPY = "the same run as"


def collected(paths: Iterable[str | Path]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The completed runs, each once, sorted; and what was skipped."""
    given = [Path(found) for path in paths for found in expanded(str(path))]
    found = collect(*dict.fromkeys(given))
    runs: dict[Path, RunFiles] = {}
    for run in found.runs:
        runs.setdefault(run.path.resolve(), run)
    same: dict[str, list[RunFiles]] = {}
    for run in sorted(runs.values(), key=lambda run: (str(run.path.resolve()), str(run.path))):
        # A copy, not a repeat: other numbers make another run, whatever its identity says.
        content = repr((run.run.get("identity") or run.path.resolve(), run.config, run.summary))
        same.setdefault(content, []).append(run)
    first = {content: original(copies) for content, copies in same.items()}
    skipped = [
        (run.path, f"{COPY} {first[content].path}")
        for content, copies in same.items()
        for run in copies
        if run is not first[content]
    ]
    return list(first.values()), [*_told(dict.fromkeys(found.skipped), given), *skipped]


def _told(skipped: Iterable[tuple[Path, str]], given: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """What was skipped, with jobs that a sweep has planned and not started told as that."""
    planned = set(planned_folders(given))
    for path, reason in skipped:
        yield path, "planned, and not started yet" if path in planned else reason


def observed(runs: Sequence[RunFiles], neutral: frozenset[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs that are observations of their own, and the repeats of the same settings and seeds with the reason."""
    kept, repeats = distinct(runs, neutral)
    try:
        kept, idle = with_effect(kept, neutral)
    except ValueError:
        # A config holds a number that is not finite: reported when the run is examined.
        idle = []
    return kept, [*((run.path, _repeated(run, first)) for run, first in repeats), *idle]


def with_effect(runs: Sequence[RunFiles], neutral: frozenset[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs whose seeds had an effect; of runs with the same numbers to the last digit, the first.

    Dropout seeds without dropout and subset seeds with all the data only repeat a computation.
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
    """The last numbers of a run's training and its main scores; None if it lacks one."""
    summary = run.summary or {}
    found = {name: summary.get(name) for name in (*_OF_TRAINING, *shown_in(RUN))}
    return repr(found) if all(isinstance(found[name], float) for name in _OF_TRAINING) else None


def _repeated(run: RunFiles, first: RunFiles) -> str:
    if run.program is not None:
        return f"a repeat of {first.path}: the same answers; one observation"
    seeds = dict.fromkeys(map(repr, seeds_of(run)))
    told = f"seed {next(iter(seeds))}" if len(seeds) == 1 else f"seeds {', '.join(map(repr, seeds_of(run)))}"
    one, other = run.summary or {}, first.summary or {}
    differing = [name for name in shown_in(RUN) if one.get(name) != other.get(name)]
    numbers = f"with another {differing[0]}" if differing else "with the same scores"
    return f"a repeat of {first.path}: the same settings and {told}, {numbers}; one observation"


def where(runs: Sequence[RunFiles], conditions: Sequence[str]) -> tuple[list[RunFiles], list[tuple[Path, str]]]:
    """The runs for which all conditions hold; the others with the first one that does not.

    Raises:
        ConfigError: A text is not a condition or names a key that no run has, or no run meets all conditions.
    """
    if not conditions:
        return list(runs), []
    several = [values_of(run) for run in runs]
    parsed = [condition(text, several) for text in conditions]
    kept, left_out = [], []
    for run, values in zip(runs, several, strict=True):
        failed = next((one for one in parsed if not one.holds(values)), None)
        if failed is None:
            kept.append(run)
        else:
            left_out.append((run.path, f"left out by --where {failed.text}{_unknown(failed, values)}"))
    if runs and not kept:
        keys = list(dict.fromkeys(key for one in parsed for key in one.keys))
        raise ConfigError(
            f"--where {' --where '.join(conditions)}: none of the {counted(len(runs), 'run')} meets this; "
            f"{values_shown(keys, several)}"
        )
    return kept, left_out


def _unknown(condition: Condition, values: Mapping[str, Any]) -> str:
    """The keys of a condition that a run does not record: it may meet the condition all the same."""
    keys = [key for key in condition.keys if key not in values]
    return f": it does not record {' and '.join(keys)}" if keys else ""
