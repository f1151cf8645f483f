"""Reading run directories, whoever made them: what is whole is returned, what is not is skipped with its reason."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaexp.errors import ConfigError, QaexpError
from qaexp.runs import directory as layout
from qaexp.runs.reading import MAX_TABLE_BYTES, Records, read_json, read_json_lines, read_table
from qaexp.runs.reuse import check_schema_version

MAX_DEPTH = 3
"""How deep below a given folder runs are looked for: outputs/run, multirun_outputs/sweep/run."""

_TEXT_COLUMNS_OF_SCORES = ("id", "title", "paragraph", "question_word")
_NO_RUN = "no run directory"
_LOGGER = logging.getLogger("qaexp")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run; the small ones are in memory, the others are read when asked for.

    Attributes:
        path: The run directory.
        config: config.json; never resolved or built.
        run: run.json.
        summary: summary.json; None when the run is not completed.
    """

    path: Path
    config: dict[str, Any]
    run: dict[str, Any]
    summary: dict[str, Any] | None

    @property
    def run_id(self) -> str:
        """The first eight hex digits of the identity."""
        return str(self.run.get("run_id", ""))

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

    def history(self) -> list[dict[str, Any]]:
        """The rows of history.csv, one per epoch."""
        return self._table(layout.HISTORY, ("probe_",))

    def scores(self) -> list[dict[str, Any]]:
        """The rows of scores.csv, one per dev example."""
        return self._table(layout.SCORES, _TEXT_COLUMNS_OF_SCORES)

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
    """What was found under some paths: runs, and each folder that is none with its reason."""

    runs: list[RunFiles] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def read_run(directory: Path) -> RunFiles:
    """Read one run directory, completed or not.

    Raises:
        ConfigError: When it is no run directory, or a newer qaexp made it.
        IntegrityError: When its files cannot be trusted.
    """
    try:
        run = read_json(directory / layout.RUN)
        check_schema_version(directory, run)
        config = read_json(directory / layout.CONFIG)
    except FileNotFoundError as error:
        raise ConfigError(f"{directory} is no run directory (no {Path(error.filename).name}); give one") from error
    try:
        summary = read_json(directory / layout.SUMMARY)
    except FileNotFoundError:
        summary = None
    return RunFiles(directory, config, run, summary)


def collect(*paths: Path | str, completed_only: bool = True) -> Collection:
    """Look for runs in run directories, sweep directories and folders of them; never raises.

    Args:
        *paths: Where to look.
        completed_only: Skip runs without summary.json, with their state as the reason.
    """
    found = [_collect_from(Path(path), MAX_DEPTH, completed_only) for path in paths]
    return _joined(found)


def load_run_files(*paths: Path | str) -> list[RunFiles]:
    """Return the completed runs under some paths; what is skipped is logged as a warning."""
    found = collect(*paths)
    for path, reason in found.skipped:
        _LOGGER.warning("%s: skipped: %s", path, reason)
    return found.runs


def _collect_from(path: Path, depth: int, completed_only: bool) -> Collection:
    try:
        if _is_run(path):
            return _collect_run(path, completed_only)
        children, links = _folders(path) if depth > 0 else ([], [])
    except OSError as error:
        return Collection(skipped=[(path, error.strerror or str(error))])
    found = _joined([_collect_from(child, depth - 1, completed_only) for child in children])
    if all(reason == _NO_RUN for _, reason in found.skipped) and not found.runs:
        return Collection(skipped=[(path, _NO_RUN)])
    found.skipped.extend((link, "a link, which is not followed") for link in links)
    return found


def _collect_run(path: Path, completed_only: bool) -> Collection:
    try:
        run = read_run(path)
    except QaexpError as error:
        return Collection(skipped=[(path, str(error))])
    if run.summary is None and completed_only:
        return Collection(skipped=[(path, f"not completed: its state is {run.run.get('state')!r}")])
    return Collection(runs=[run])


def _joined(collections: list[Collection]) -> Collection:
    return Collection(
        [run for found in collections for run in found.runs], [skip for found in collections for skip in found.skipped]
    )


def _is_run(path: Path) -> bool:
    return any(os.path.lexists(path / name) for name in (layout.RUN, layout.SUMMARY, layout.CONFIG))


def _folders(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders inside a folder by name, and the links, which might lead round in a circle."""
    with os.scandir(path) as entries:
        visible = [entry for entry in sorted(entries, key=lambda entry: entry.name) if not entry.name.startswith(".")]
        folders = [path / entry.name for entry in visible if entry.is_dir(follow_symlinks=False)]
        return folders, [path / entry.name for entry in visible if entry.is_symlink()]
