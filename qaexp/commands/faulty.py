"""Files of a completed run that are drawn, but are not what it wrote: cut, spoilt or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CONTEXTS, HISTORY, METRICS, PREDICTIONS, SCORES
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.trust import changed_files
from qaexp.storage.formats import counted

Counts = Callable[[], tuple[int, int]]

_DRAWN = (METRICS, HISTORY, PREDICTIONS, CONTEXTS, SCORES)


def faults(run: RunFiles, told: Sequence[str] = ()) -> list[str]:
    """Say what is wrong with the files that the pictures and the page of a completed run are drawn from.

    Args:
        run: The run.
        told: What was reported already; a file that is named there is not reported again, except for unreadable lines.

    Returns:
        A sentence for each file, its name first.
    """
    found: list[str] = []
    counts = cache(lambda: _predictions(run))
    for check in (_torn_lines, _spoilt_history, _lost_questions):
        found += [fault for fault in check(run, counts) if not _is_named(fault.split(":")[0], found)]
    with suppress(OSError):  # reported by what draws it
        for name in changed_files(run.path, run.summary, _DRAWN):
            if not _is_named(name, [*told, *found]):
                found.append(f"{name}: is not what the run wrote (its sha256 differs)")
    return found


def _is_named(name: str, sentences: Sequence[str]) -> bool:
    return any(name in sentence for sentence in sentences)


def _predictions(run: RunFiles) -> tuple[int, int]:
    """The number of questions in predictions.jsonl, and of lines that are no record."""
    ids, num_torn = set(), 0
    for record in run.prediction_lines():
        if record is None:
            num_torn += 1
        else:
            ids.add(record["id"])
    return len(ids), num_torn


def _torn_lines(run: RunFiles, predictions: Counts) -> Iterator[str]:
    readers: Mapping[str, Callable[[], int]] = {
        METRICS: lambda: run.steps().num_torn,
        PREDICTIONS: lambda: predictions()[1],
    }
    for name, read in readers.items():
        with suppress(IntegrityError):  # reported by what draws it
            if num_torn := read():
                yield f"{name}: {counted(num_torn, 'line')} cannot be read, and nothing was drawn of them"


def _spoilt_history(run: RunFiles, _: Counts) -> Iterator[str]:
    """What is wrong with a table that can be read; one that is not there is another thing."""
    if not (run.path / HISTORY).is_file():
        return
    with suppress(IntegrityError):  # reported by what draws it
        rows = run.history()
        if not rows and _number(run, "num_steps"):
            yield f"{HISTORY}: has no row, and the run was trained and evaluated"
        for place, row in enumerate(rows, start=1):
            if lost := [name for name in ("epoch", "step", "exact", "f1") if not is_number(row.get(name))]:
                yield f"{HISTORY}: row {place} has no number for {', '.join(lost)}"
                return


def _lost_questions(run: RunFiles, predictions: Counts) -> Iterator[str]:
    """Tables of the dev questions that hold another number of them than were scored."""
    wanted = _number(run, "num_dev_examples")
    readers: Mapping[str, Callable[[], int]] = {
        PREDICTIONS: lambda: predictions()[0],
        SCORES: lambda: len(run.scores()),
    }
    for name, read in readers.items():
        if wanted is None or not (run.path / name).is_file():
            continue
        with suppress(IntegrityError):  # reported by what draws it
            if (num_found := read()) != wanted:
                yield f"{name}: has {counted(num_found, 'question')}, and the run was scored on {wanted:,}"


def _number(run: RunFiles, name: str) -> Any:
    value = (run.summary or {}).get(name)
    return value if is_number(value) else None
