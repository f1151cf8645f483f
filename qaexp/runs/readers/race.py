"""The record of a race, as any command reads it: who is still in, who was dropped, and why it ended."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.directory import SCHEMA_VERSION, SWEEP_RACE
from qaexp.storage.formats import counted, one_line
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json

ENDS = {
    "best": "the best is known",
    "alike": "those that are left are alike",
    "equal": "those that are left have the same scores",
    "questions": "more seeds would not tell, the questions are too few",
    "clusters": "the questions come from too few texts",
    "left": "one is left, the others are set aside",
    "nobody": "all configurations are set aside",
    "seeds": "all seeds are used",
    "budget": "the budget is spent",
}
"""Why a race ended, in words."""


def read_race(sweep: Path) -> dict[str, Any] | None:
    """What race.json of a sweep says; None where there is none, or it is damaged or a newer qaexp's.

    Nothing is lost with it: the command of the race derives it again from the runs.
    """
    try:
        found = read_json(sweep / SWEEP_RACE, MAX_TABLE_BYTES)
        version = found.get("schema_version", 0)
        is_known = isinstance(version, int) and version <= SCHEMA_VERSION
        rows = found["configurations"]
        texts = [text for row in rows for text in (row["name"], row["state"], found["end"] or "")]
        numbers = [number for row in rows for number in (row["num_runs"], found["spent"]["runs"])]
        is_whole = isinstance(found["rounds"], list) and all(isinstance(text, str) for text in texts)
        is_whole = is_whole and all(isinstance(number, int) for number in numbers)
    except (OSError, QaexpError, KeyError, TypeError, AttributeError):
        return None
    return found if is_known and is_whole else None


def race_lines(sweeps: Sequence[Path], width: int | None = None) -> list[str]:
    """How each race among some sweeps stands.

    Args:
        sweeps: Folders; those without a race are left out.
        width: Columns of the terminal; None: a pipe, which has none.
    """
    found = ((sweep, read_race(sweep)) for sweep in sweeps)
    lines = [one_line(f"race {sweep}: {standing_words(race)}") for sweep, race in found if race is not None]
    if width is None:
        return lines
    return [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent="    ")]


def races_document(sweeps: Sequence[Path]) -> list[dict[str, Any]]:
    """The same as data: `sweep`, and what its race.json says without the rounds."""
    found = ((sweep, read_race(sweep)) for sweep in sweeps)
    return [
        {"sweep": str(sweep), **{key: value for key, value in race.items() if key != "rounds"}}
        for sweep, race in found
        if race is not None
    ]


def race_notes(sweeps: Sequence[Path]) -> list[str]:
    """What a reader of a comparison must know of races among some sweeps: who was dropped has fewer seeds."""
    return [
        f"{sweep.name} is a race: configurations that were dropped have fewer seeds, and its own decisions, which hold "
        f"for looks after every seed, are in {sweep / SWEEP_RACE}"
        for sweep in sweeps
        if (race := read_race(sweep)) is not None and len({row["num_runs"] for row in race["configurations"]}) > 1
    ]


def standing_words(race: dict[str, Any]) -> str:
    """How a race stands.

    >>> rows = [{"name": "a", "state": "open"}, {"name": "b", "state": "dropped"}]
    >>> standing_words({"configurations": rows, "rounds": [{}], "spent": {"runs": 6}, "end": "best"})
    '1 round, 6 runs; 1 of 2 configurations open, 1 dropped; over: the best is known'
    """
    states = Counter(row["state"] for row in race["configurations"])
    others = "".join(f", {count} {state}" for state, count in states.items() if state != "open")
    end = race.get("end")
    over = f"; over: {ENDS.get(end, end)}" if end is not None else ""
    return (
        f"{counted(len(race['rounds']), 'round')}, {counted(race['spent']['runs'], 'run')}; {states['open']} of "
        f"{counted(len(race['configurations']), 'configuration')} open{others}{over}"
    )
