"""The best of several runs by one number, if they can be ranked together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qaexp.comparison.entries import Entry, NotComparableError, examine, without_path
from qaexp.comparison.guard import blocks
from qaexp.comparison.options import Options, with_metric
from qaexp.comparison.scores import ScoreReader
from qaexp.comparison.selection import collected, observed, where
from qaexp.errors import ConfigError, QaexpError
from qaexp.runs.directory import CONFIG
from qaexp.runs.metrics import number_of
from qaexp.runs.number import LOWER
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.trust import edited_files
from qaexp.storage.formats import counted

_WHERE = "at threshold 0 or at its tuned one"


def best_run(paths: Iterable[str | Path], options: Options) -> tuple[Path, list[str]]:
    """Find the best completed run under some paths; nothing is written.

    Args:
        paths: Run directories, sweep directories, folders of them, or patterns.
        options: The metric, conditions, and the keys that cannot change results.

    Returns:
        Its folder, and notes on the choice: ties, runs that were skipped.

    Raises:
        ConfigError: No completed run answers and has the metric, or the runs were measured differently, so that none
            of them is the best.
    """
    runs, skipped = collected(paths)
    runs, _ = where(runs, options.where)
    entries, refused = _examined(runs)
    if not entries:
        reasons = dict.fromkeys(reason for _, reason in [*skipped, *refused])
        told = f" ({next(iter(reasons))})" if reasons else ""
        raise ConfigError(f"no completed run{told}; qaexp status shows their states")
    options, notes = with_metric(options, entries)
    _check_alike(entries)
    refused += [
        (entry.run.path, entry.lack(options.metric)) for entry in entries if options.metric not in entry.metrics
    ]
    entries = [entry for entry in entries if options.metric in entry.metrics]
    kept = {id(run) for run in observed([entry.run for entry in entries], options.neutral)[0]}
    entries = [entry for entry in entries if id(entry.run) in kept]
    chosen, ties, silent = _chosen(entries, options.metric)
    if silent:
        notes.append(f"{counted(silent, 'run')} passed over: one that answers nothing {_WHERE} is never the best")
    if refused:
        notes.append(f"{counted(len(refused), 'run')} passed over, the first: {refused[0][0]}: {refused[0][1]}")
    if ties:
        notes.append(f"{counted(ties, 'more run')} with the same {options.metric}: the one that was started first")
    run = chosen.run
    notes += [
        f"{run.path}: {name} is not the one that the run wrote; qaexp verify shows what differs"
        for name in edited_files(run.path, run.run, run.summary, (CONFIG, number_of(options.metric).table))
    ]
    return chosen.run.path, notes


def _examined(runs: Sequence[RunFiles]) -> tuple[list[Entry], list[tuple[Path, str]]]:
    reader = ScoreReader()
    entries: list[Entry] = []
    refused: list[tuple[Path, str]] = []
    for run in runs:
        try:
            entries.append(examine(run, reader))
        except (NotComparableError, QaexpError, OSError) as error:
            refused.append((run.path, without_path(str(error), run.path)))
    return entries, refused


def _check_alike(entries: Sequence[Entry]) -> None:
    parts = blocks(entries)
    if len(parts) > 1:
        reasons = "; ".join(dict.fromkeys(part.reason for part in parts if part.reason))
        raise ConfigError(
            f"these {len(entries)} runs were not measured alike, so none is the best: {reasons}; give the folders of "
            "runs that answered the same questions, or keep some of them by --where"
        )


def _chosen(entries: Sequence[Entry], metric: str) -> tuple[Entry, int, int]:
    """The best run that answers, how many are as good, and how many answer nothing."""
    better = number_of(metric).better
    if better is None:
        raise ConfigError(f"--metric {metric}: neither high nor low values of it are better; give a score, such as f1")
    able = [entry for entry in entries if metric in entry.metrics]
    answering = [entry for entry in able if not entry.is_collapsed]
    if not answering:
        raise ConfigError(
            f"none of the {counted(len(able), 'run')} answers: each says nothing {_WHERE}, where a score "
            "is the share of questions without an answer; docs/answers_nothing.md explains why"
        )
    sign = 1.0 if better == LOWER else -1.0
    values = {id(entry): round(sign * entry.metrics[metric], 9) for entry in answering}
    least = min(values.values())
    equals = [entry for entry in answering if values[id(entry)] == least]
    first = min(equals, key=lambda entry: (str(entry.run.run.get("started") or ""), str(entry.run.path)))
    return first, len(equals) - 1, len(able) - len(answering)
