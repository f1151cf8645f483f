"""Runs as tables for notebooks: one row a run, one row an epoch, one row a question."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError
from qaexp.runs.readers.collect import RunFiles, collect, load_run_files
from qaexp.runs.readers.patterns import expanded
from qaexp.storage.formats import dotted

if TYPE_CHECKING:
    import pandas as pd

OnePath = str | os.PathLike[str]
# Run directories, sweep directories, folders of them, or patterns such as `outputs/*`: one, or several.
Paths = OnePath | Iterable[OnePath]

_FIRST = ("path", "run_id", "flags")
_OF_RUN = ("path", "run_id", "name", "seed")


def load_runs(paths: Paths) -> pd.DataFrame:
    """Read the completed runs under some paths.

    Args:
        paths: Run directories, sweep directories, folders of them, or patterns such as `outputs/*`: one, or several.

    Returns:
        One row a run, in the order of the paths: `path`, `run_id`, `flags` (names), what was noted on it (`tags`,
        `notes`, `group`), the config's keys with dots (`optimizer.lr`, `name`, `seed`), then the numbers of
        summary.json. Anything that is not a completed run is skipped, with a warning in the log `qaexp`.

    Raises:
        ConfigError: There is nothing at a path.
    """
    rows = [
        {
            "path": str(run.path),
            "run_id": run.run.get("run_id"),
            "flags": tuple(flag.get("name") for flag in run.flags),
            # What runs have that were made before people could note these.
            "tags": [],
            "notes": "",
            "group": None,
            **dotted(run.config),
            **(run.summary or {}),
        }
        for run in load_run_files(*_several(paths))
    ]
    return _frame(rows, _FIRST)


def load_history(paths: Paths) -> pd.DataFrame:
    """Read the epochs of the runs under some paths, also of runs that are running or were stopped.

    Args:
        paths: As `load_runs`.

    Returns:
        One row an epoch: `path`, `run_id`, `name`, `seed`, then the columns of history.csv (`epoch`, `step`,
        `train_loss`, `f1`, ...).

    Raises:
        ConfigError: There is nothing at a path, or no run below all of them.
        IntegrityError: A run's files cannot be read.
    """
    runs = _runs(paths)
    return _frame([{**_of_run(run), **row} for run in runs for row in run.history()], (*_OF_RUN, "epoch"))


def load_predictions(paths: Paths) -> pd.DataFrame:
    """Read the answers of the runs under some paths to their dev questions.

    Args:
        paths: As `load_runs`.

    Returns:
        One row a question of a run: `path`, `run_id`, `name`, `seed`, then `id`, `question`, `golds` (texts; none for
        a question without an answer), `prediction_text` (empty: answered nothing), `null_score_diff` and what else
        predictions.jsonl has, then the columns of scores.csv (`exact`, `f1`, `crossfit_f1`, the slice keys).

    Raises:
        ConfigError: There is nothing at a path, or no run below all of them.
        IntegrityError: A run's files cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for run in _runs(paths):
        scores = {score.get("id"): score for score in run.scores()}
        rows += [{**_of_run(run), **row, **scores.get(row["id"], {})} for row in run.predictions().rows]
    return _frame(rows, (*_OF_RUN, "id", "question", "golds", "prediction_text"))


def _of_run(run: RunFiles) -> dict[str, Any]:
    return {"path": str(run.path), "run_id": run.run_id, "name": run.config.get("name"), "seed": run.config.get("seed")}


def _runs(paths: Paths) -> list[RunFiles]:
    several = _several(paths)
    if found := collect(*several, completed_only=False).runs:
        return found
    raise ConfigError(f"{', '.join(several)}: no run there; give run directories, sweep directories or folders of them")


def one_or_several(paths: Paths) -> list[str]:
    """Paths as texts, whichever way they are given.

    >>> one_or_several("outputs"), one_or_several(["a", "b"])
    (['outputs'], ['a', 'b'])

    Raises:
        ConfigError: Something else is given.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable) else list(paths)
    for path in given:
        if not isinstance(path, str | os.PathLike):
            raise ConfigError(f"a path must be a text or a Path, or a list of them, not {path!r:.80}")
    return [os.fspath(path) for path in given]


def _several(paths: Paths) -> list[str]:
    return list(dict.fromkeys(found for path in one_or_several(paths) for found in expanded(path)))


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame of rows; one without rows has its first columns all the same."""
    import pandas as pd

    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(columns))
