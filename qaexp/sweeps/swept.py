"""What was swept, over every command that was given for a sweep, and the value that each run has of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.errors import QaexpError
from qaexp.runs.directory import SWEEP
from qaexp.runs.identity import canonical_json
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.repeats import SEED_KEYS, settings
from qaexp.runs.readers.typed import typed as typed_for
from qaexp.runs.writing.looks import Look, looks_of
from qaexp.storage.formats import dotted
from qaexp.storage.reading import MAX_TABLE_BYTES, read_json
from qaexp.sweeps.job import Job

SWEPT = "swept"
"""The key of sweep.json: all keys that any command for this sweep swept, in the order of their first time."""

_INPUTS = "inputs."
_MISSING = object()

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What sweep.json said before: data, of which nothing is believed that a run's own files contradict.

    Attributes:
        swept: The keys that were swept.
        rows: Its rows by the path of their run.
        looks: When its results were looked at.
    """

    swept: Sequence[str] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    looks: Sequence[Look] = ()

    def words(self, path: str, run_id: Any) -> dict[str, str | None]:
        """What it said that a run has of each key."""
        row = self.rows.get(path, {})
        found: dict[str, str | None] = row["changes"] if row and row.get("run_id") == run_id else {}
        return found

    def without_runs(self) -> list[Row]:
        """The rows of jobs that had no run, as far as they can be believed."""
        return [
            {
                "run_id": row.get("run_id"),
                "path": path,
                "is_planned": True,
                "changes": {},
                "state": row["state"],
                "error": row.get("error"),
                "flags": [],
                "summary": None,
            }
            for path, row in self.rows.items()
            if row.get("summary") is None and _is_word(row.get("state")) and _is_error(row.get("error"))
        ]


def read_earlier(sweep: Path) -> Earlier:
    """Read the sweep.json of an earlier command; one that is missing, damaged or older tells what it can."""
    try:
        content = read_json(sweep / SWEEP, MAX_TABLE_BYTES)
    except (OSError, QaexpError):
        return Earlier()
    stored = content.get("jobs")
    rows = {str(row["path"]): row for row in stored if _is_row(row)} if isinstance(stored, list) else {}
    keys = content.get(SWEPT)
    if not isinstance(keys, list):  # an older qaexp kept them with the rows alone
        keys = [key for row in rows.values() for key in row["changes"]]
    return Earlier(list(dict.fromkeys(filter(_is_word, keys))), rows, looks_of(content))


def words_of(lines: Sequence[str]) -> dict[str, str]:
    """Key to value of override lines; of a key that comes twice the last counts.

    >>> words_of(["seed=1", "+optimizer.how=a=b"])
    {'seed': '1', 'optimizer.how': 'a=b'}
    """
    return {word.partition("=")[0].lstrip("+"): word.partition("=")[2] for word in lines}


def as_run(job: Job) -> RunFiles:
    """A job that has no run yet, as if it had begun."""
    return RunFiles(job.folder, job.shown_config, {}, None)


def differing_keys(runs: Sequence[RunFiles], neutral: frozenset[str]) -> list[str]:
    """The keys in which the configs of runs are not alike, without seeds that follow from `seed`."""
    leaves = [
        {key: value for key, value in settings(run, neutral, with_seeds=True).items() if not key.startswith(_INPUTS)}
        for run in runs
    ]
    keys = [
        key
        for key in dict.fromkeys(key for one in leaves for key in one)
        if len({repr(one.get(key, _MISSING)) for one in leaves}) > 1  # cheap, and true of most keys
        and len({_canonical(one[key]) if key in one else None for one in leaves}) > 1
    ]
    follows = {
        key for key in SEED_KEYS[1:] if all(key not in one or one[key] == one.get(SEED_KEYS[0]) for one in leaves)
    }
    return [key for key in keys if key not in follows]


def value_of(key: str, run: RunFiles, *typed: Mapping[str, str | None]) -> str | None:
    """What a run has of a key, as a command line would have it.

    Args:
        key: A dotted key, or a group such as `batches`.
        run: The run.
        *typed: The words of command lines, the newest first.

    Returns:
        The word that was typed, where its config.json says the same; else what that says; None where the run has none.
    """
    words = [word for one in typed if (word := one.get(key)) is not None]
    leaves = dotted(run.config)
    if key in leaves:
        return next((word for word in words if _says(word, leaves[key])), _written(leaves[key]))
    return words[0] if words else typed_for(run.path).choices.get(key)


def job_words(job: Job) -> dict[str, str]:
    """Key to value of all override lines of a job, without secrets."""
    return {**words_of(list(map(job.redactor.word, job.overrides))), **words_of(job.changes)}


def _written(value: Any) -> str:
    """A value as an override has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def _says(typed: str, value: Any) -> bool:
    """Whether a typed word is this value: `1` may stand for 1.0."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(typed) == value
        except ValueError:
            return False
    return typed == _written(value)


def _canonical(value: Any) -> str:
    try:
        return canonical_json(value)
    except ValueError:  # not finite
        return repr(value)


def _is_row(row: Any) -> bool:
    changes = row.get("changes") if isinstance(row, dict) else None
    return (
        isinstance(changes, dict)
        and _is_word(row.get("path"))
        and all(value is None or _is_word(value) for value in changes.values())
    )


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_error(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_word, [*value, *value.values()])))
