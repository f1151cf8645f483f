"""Reading run directories, whoever made them: what is whole is returned, what is not is skipped with its reason."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.runs import directory as layout
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, Folder, look
from qaexp.runs.readers.typed import Typed, typed
from qaexp.runs.trust import is_edited
from qaexp.storage.columns import Columns
from qaexp.storage.reading import (
    MAX_TABLE_BYTES,
    Records,
    each_json_line,
    read_columns,
    read_json,
    read_json_lines,
    read_table,
)

# How deep below a given folder runs are looked for: outputs/run, multirun_outputs/sweep/run.
MAX_DEPTH = 3

_TEXT_COLUMNS_OF_SCORES = ("id", "title", "paragraph", "question_word")
NO_RUN, A_LINK = "not a run directory", "a link, which is not followed"
A_FILE = "a file, and a run is a folder"
_PICTURE_ENDINGS = (".png", ".svg", ".pdf")
_FILE_ENDINGS = (".html", ".json", ".csv", ".yaml", ".journal")
_LOGGER = logging.getLogger("qaexp")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run; the small ones are in memory, the others are read when asked for.

    Attributes:
        path: The run directory.
        config: config.json, never resolved or built; empty when the run was stopped before it was stored.
        run: run.json.
        summary: summary.json; None when the run is not completed.
        told: What was typed for it, where more is known than its folder says; else None.
    """

    path: Path
    config: dict[str, Any]
    run: dict[str, Any]
    summary: dict[str, Any] | None
    told: Typed | None = None

    @property
    def run_id(self) -> str:
        """The first eight hex digits of the identity."""
        return str(self.run.get("run_id", ""))

    @property
    def program(self) -> str | None:
        """What else than qaexp wrote its results, in words; None for a run."""
        found = self.run.get("program")
        return found if isinstance(found, str) else None

    @property
    def shown_name(self) -> str:
        """What a comparison calls it: its folder's name, or that which another program's results were given."""
        return self.path.name if self.program is None else str(self.config.get("name"))

    @property
    def typed(self) -> Typed:
        """What was typed for it."""
        return self.told or typed(self.path)

    @property
    def flags(self) -> list[dict[str, Any]]:
        """The raised health flags."""
        return self._entries("flags")

    @property
    def drift(self) -> list[dict[str, Any]]:
        """What had changed when the training went on from a checkpoint: `key`, `old`, `new` and the `step`."""
        return self._entries("drift")

    def steps(self) -> Records:
        """The records of metrics.jsonl, one per step; of a repeated step the last counts."""
        return self._lines(layout.METRICS, "step")

    def timings(self) -> Records:
        """The records of timings.jsonl."""
        return self._lines(layout.TIMINGS, None)

    def predictions(self) -> Records:
        """The records of predictions.jsonl, one per dev example."""
        return self._lines(layout.PREDICTIONS, "id")

    def each_prediction(self) -> Iterator[dict[str, Any]]:
        """Yield the records of predictions.jsonl one at a time; torn lines are left out, repeated ones are not."""
        return (record for record in self.prediction_lines() if record is not None)

    def prediction_lines(self) -> Iterator[dict[str, Any] | None]:
        """Yield the records of predictions.jsonl one at a time, and None for a torn line."""
        try:
            yield from each_json_line(self.path / layout.PREDICTIONS, "id")
        except FileNotFoundError:
            return

    def history(self) -> list[dict[str, Any]]:
        """The rows of history.csv, one per epoch."""
        return self._table(layout.HISTORY, ("probe_",))

    def scores(self, table: str = layout.SCORES) -> Columns:
        """The rows of scores.csv, one per dev example, or those of test_scores.csv."""
        try:
            return read_columns(self.path / table, _TEXT_COLUMNS_OF_SCORES, _TEXT_COLUMNS_OF_SCORES[1:])
        except FileNotFoundError:
            return Columns([])

    def contexts(self) -> dict[str, str]:
        """The contexts of the dev examples by the hash of their text."""
        return self._json(layout.CONTEXTS)

    def data(self) -> dict[str, Any]:
        """The content of data.json."""
        return self._json(layout.DATA)

    def _entries(self, name: str) -> list[dict[str, Any]]:
        found = self.run.get(name)
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return read_json(self.path / name, MAX_TABLE_BYTES)
        except FileNotFoundError:
            return {}

    def _lines(self, name: str, key: str | None) -> Records:
        try:
            return read_json_lines(self.path / name, key)
        except FileNotFoundError:
            return Records([])

    def _table(self, name: str, text_columns: tuple[str, ...]) -> list[dict[str, Any]]:
        try:
            return read_table(self.path / name, text_columns)
        except FileNotFoundError:
            return []


@dataclass(frozen=True, slots=True)
class Collection:
    """What was found under some paths: runs, and each folder that is not one with its reason."""

    runs: list[RunFiles] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found under some paths: folders that may be runs, and what cannot be looked into, with its reason."""

    folders: list[Folder] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def run_files(folder: Folder) -> RunFiles:
    """The files of a folder that was looked at.

    Raises:
        ConfigError: When it is not a run directory, or a newer qaexp made it.
        IntegrityError: When it is damaged.
    """
    folder.check_readable()
    return RunFiles(folder.path, folder.config or {}, folder.record or {}, folder.summary)


def read_run(directory: Path) -> RunFiles:
    """Read one run directory, completed or not; raises as `run_files` does."""
    return run_files(look(directory))


def read_completed_run(directory: Path) -> RunFiles:
    """Read a completed run; raises as `run_files` does, and a ConfigError when it is not completed."""
    folder = look(directory)
    folder.check_completed()
    return run_files(folder)


def collect(*paths: Path | str, completed_only: bool = True) -> Collection:
    """Look for runs in run directories, sweep directories and folders of them; never raises.

    Args:
        *paths: Where to look.
        completed_only: Skip runs that are not completed, with what they are as the reason.
    """
    found = find(*paths)
    collection = Collection(skipped=found.skipped)
    for folder in found.folders:
        is_wanted = folder.state == COMPLETED if completed_only else is_run(folder) and folder.state != DAMAGED
        if is_wanted:
            collection.runs.append(run_files(folder))
        else:
            collection.skipped.append((folder.path, folder.sentence))
    return collection


def is_run(folder: Folder) -> bool:
    """Whether it is a run whose run.json this qaexp can read."""
    return folder.record is not None


def find(*paths: Path | str, now: datetime | None = None) -> Found:
    """Look at every folder that may be a run, in folders of folders too; never raises.

    Args:
        *paths: Where to look.
        now: The time now, with its zone; None: the clock's.
    """
    given = [Path(path) for path in paths]
    if len(given) > 1:  # `sweep/*` also names what is beside the runs
        given = [path for path in given if not stands_beside_runs(path)]
    return _joined([_find_in(path, MAX_DEPTH, now) for path in given])


def load_run_files(*paths: Path | str) -> list[RunFiles]:
    """Return the completed runs under some paths; what is skipped, and numbers that were edited, are warned of."""
    found = collect(*paths)
    for path, reason in found.skipped:
        _LOGGER.warning("%s: skipped: %s", path, reason)
    for run in found.runs:
        if is_edited(run.path, run.run):
            _LOGGER.warning("%s: was edited after the run: its numbers may be no result", run.path / layout.SUMMARY)
    return found.runs


def _find_in(path: Path, depth: int, now: datetime | None) -> Found:
    try:
        if may_be_run(path):
            return Found([look(path, now)])
        children, links = folders_in(path) if depth > 0 else ([], [])
    except NotADirectoryError:
        return Found(skipped=[(path, A_FILE)])
    except OSError as error:
        return Found(skipped=[(path, error.strerror or str(error))])
    found = _joined([_find_in(child, depth - 1, now) for child in children])
    if all(reason == NO_RUN for _, reason in found.skipped) and not found.folders:
        return Found(skipped=[(path, NO_RUN)])
    found.skipped.extend((link, A_LINK) for link in links)
    return found


def _joined(several: list[Found]) -> Found:
    return Found(
        [folder for found in several for folder in found.folders], [skip for found in several for skip in found.skipped]
    )


def may_be_run(path: Path) -> bool:
    """Whether a folder holds a file that only runs have, or something of such a name."""
    return any(os.path.lexists(path / name) for name in (layout.RUN, layout.SUMMARY, layout.CONFIG))


def stands_beside_runs(path: Path) -> bool:
    """Whether qaexp itself puts it beside the runs of a sweep: a table, a page, pictures."""
    if path.is_dir():
        return _holds_pictures(path)
    is_in_sweep = any((path.parent / name).is_file() for name in (layout.SWEEP_PLAN, layout.SWEEP))
    return is_in_sweep and path.suffix in _FILE_ENDINGS


def _holds_pictures(path: Path) -> bool:
    """Whether it is a folder of pictures that qaexp puts beside runs: of a comparison or of a search."""
    if path.name != layout.PLOTS and not path.name.endswith(layout.PICTURES):
        return False
    try:
        with os.scandir(path) as entries:
            files = [(entry.name, entry.is_file(follow_symlinks=False)) for entry in entries]
    except OSError:
        return False
    return all(is_file and name.endswith(_PICTURE_ENDINGS) for name, is_file in files if not name.startswith("."))


def folders_in(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders that may hold runs inside a folder by name, and the links, which might lead round in a circle.

    Raises:
        OSError: When the system refuses.
    """
    with os.scandir(path) as entries:
        visible = [entry for entry in sorted(entries, key=lambda entry: entry.name) if not entry.name.startswith(".")]
        folders = [path / entry.name for entry in visible if entry.is_dir(follow_symlinks=False)]
        links = [path / entry.name for entry in visible if entry.is_symlink()]
    return [folder for folder in folders if not _holds_pictures(folder)], links
