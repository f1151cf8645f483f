"""Runs as tables for notebooks: one row a run, one row an epoch, one row a question."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qaexp.errors import ConfigError
from qaexp.runs.directory import HISTORY, PREDICTIONS, SCORES
from qaexp.runs.readers.collect import RunFiles, collect, load_run_files
from qaexp.runs.readers.patterns import expanded
from qaexp.runs.trust import edited_files
from qaexp.storage.formats import counted, dotted

if TYPE_CHECKING:
    import pandas as pd

OnePath = str | os.PathLike[str]
# Run directories, sweep directories, folders of them, or patterns such as `outputs/*`: one, or several.
Paths = OnePath | Iterable[OnePath]

_FIRST = ("path", "run_id", "flags")
_OF_RUN = ("path", "run_id", "name", "seed")
_OF_EPOCH = ("epoch",)
_OF_QUESTION = ("id", "question", "golds", "prediction_text")
_LOGGER = logging.getLogger("qaexp")


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


def load_history(paths: Paths, keys: str | Sequence[str] = ()) -> pd.DataFrame:
    """Read the epochs of the runs under some paths, also of runs that are running or were stopped.

    Args:
        paths: As `load_runs`.
        keys: Keys of the config to have as columns too, for example `optimizer.lr`: one, or several.

    Returns:
        One row an epoch: `path`, `run_id`, `name`, `seed`, the keys, then the columns of history.csv (`epoch`, `step`,
        `train_loss`, `f1`, ...). Anything that is not a run is skipped, with a warning in the log `qaexp`.

    Raises:
        ConfigError: There is nothing at a path, no run below all of them, or none has such a key.
        IntegrityError: A run's files cannot be read.
    """
    runs, of_run = _runs(paths), _of_runs(keys)
    _check_keys(of_run, runs)
    _warn_of_edited(runs, [HISTORY])
    rows = [{**_of_run(run, of_run), **row} for run in runs for row in run.history()]
    return _frame(rows, (*of_run, *_OF_EPOCH))


def load_predictions(paths: Paths, keys: str | Sequence[str] = ()) -> pd.DataFrame:
    """Read the answers of the runs under some paths to their dev questions.

    Args:
        paths: As `load_runs`.
        keys: Keys of the config to have as columns too, for example `optimizer.lr`: one, or several.

    Returns:
        One row a question of a run: `path`, `run_id`, `name`, `seed`, the keys, then `id`, `question`, `golds` (texts;
        none for a question without an answer), `prediction_text` (empty: answered nothing), `null_score_diff` and what
        else predictions.jsonl has, then the columns of scores.csv (`exact`, `f1`, `crossfit_f1`, the slice keys).
        Anything that is not a run, and a run that has no predictions yet, is skipped, with a warning in the log
        `qaexp`.

    Raises:
        ConfigError: There is nothing at a path, no run below all of them, or none has such a key.
        IntegrityError: A run's files cannot be read.
    """
    runs, of_run = _runs(paths), _of_runs(keys)
    _check_keys(of_run, runs)
    _warn_of_edited(runs, [PREDICTIONS, SCORES])
    rows: list[dict[str, Any]] = []
    for run in runs:
        begin = len(rows)
        rows += ({**_of_run(run, of_run), **row} for row in _predictions(run))
        if len(rows) == begin:
            _LOGGER.warning("%s: skipped: no %s", run.path, PREDICTIONS)
    return _frame(rows, (*of_run, *_OF_QUESTION))


def history_frame(run: RunFiles) -> pd.DataFrame:
    """The epochs of one run, as `load_history` gives them without the columns that say which run it is."""
    return _frame(run.history(), _OF_EPOCH)


def predictions_frame(run: RunFiles) -> pd.DataFrame:
    """The answers of one run, as `load_predictions` gives them without the columns that say which run it is."""
    return _frame(list(_predictions(run)), _OF_QUESTION)


def _predictions(run: RunFiles) -> Iterator[dict[str, Any]]:
    """Yield a run's answers with what scores.csv adds; torn lines are left out, and warned of."""
    scores = {score.get("id"): score for score in run.scores()}
    found = run.predictions()
    if found.num_torn:
        _LOGGER.warning("%s: %s cannot be read", run.path / PREDICTIONS, counted(found.num_torn, "line"))
    yield from ({**row, **scores.get(row["id"], {})} for row in found.rows)


def _of_runs(keys: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_OF_RUN, *([keys] if isinstance(keys, str) else keys))))


def _of_run(run: RunFiles, columns: Sequence[str]) -> dict[str, Any]:
    known = {**dotted(run.config), "path": str(run.path), "run_id": run.run_id}
    return {column: known.get(column) for column in columns}


def _check_keys(keys: Sequence[str], runs: Sequence[RunFiles]) -> None:
    """Refuse keys that no run has.

    Raises:
        ConfigError: There is one.
    """
    known = dict.fromkeys((*_OF_RUN, *(key for run in runs for key in dotted(run.config))))
    if unknown := [key for key in keys if key not in known]:
        alike = [key for key in known if key.rpartition(".")[2] == str(unknown[0]).rpartition(".")[2]]
        way = f"did you mean {alike[0]}?" if alike else "qaexp.Run(path).config shows them"
        raise ConfigError(f"keys: no run has {unknown[0]!r:.80} in its config; {way}")


def _runs(paths: Paths) -> list[RunFiles]:
    several = _several(paths)
    found = collect(*several, completed_only=False)
    if not found.runs:
        raise ConfigError(
            f"{', '.join(several)}: no run there; give run directories, sweep directories or folders of them"
        )
    for path, reason in found.skipped:
        _LOGGER.warning("%s: skipped: %s", path, reason)
    return found.runs


def _warn_of_edited(runs: Sequence[RunFiles], names: Sequence[str]) -> None:
    """Warn of files that have other bytes than their run wrote; who reads one says that it cannot be read."""
    for run in (run for run in runs if run.summary is not None):
        with suppress(OSError):
            for name in edited_files(run.path, run.run, run.summary, names):
                _LOGGER.warning("%s: is not the file that the run wrote: its numbers may be no result", run.path / name)


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
