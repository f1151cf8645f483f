"""The record files of an open run: lines that are appended, and history.csv, which is written anew each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.runs.directory import HISTORY, METRICS, TIMINGS
from qaexp.storage.appender import Appender, truncate
from qaexp.storage.files import write_json_lines, write_rows
from qaexp.storage.folders import remove
from qaexp.storage.formats import json_line
from qaexp.storage.reading import read_json_lines
from qaexp.storage.vouched import sha256_of


class RecordFiles:
    """Keeps the record files of one directory open."""

    def __init__(self, directory: Path) -> None:
        """Open nothing yet."""
        self._directory = directory
        self._appenders: dict[str, Appender] = {}
        self._history: list[Mapping[str, Any]] = []

    def append(self, name: str, record: Mapping[str, Any]) -> None:
        """Append one JSON line to the file `name`."""
        if name not in self._appenders:
            self._appenders[name] = Appender(self._directory / name)
        self._appenders[name].append(json_line(record))

    def add_epoch(self, row: Mapping[str, Any]) -> None:
        """Commit history.csv with one more row."""
        self._history.append(row)
        self._write_history()

    def lengths(self) -> dict[str, dict[str, Any]]:
        """Wait until all lines are on the disk; size and sha256 of each file that a resumed run writes on."""
        for appender in self._appenders.values():
            appender.sync()
        return {name: described(self._directory / name) for name in (METRICS,) if (self._directory / name).exists()}

    def go_back(
        self, lengths: Mapping[str, Mapping[str, Any]], last_step: int, history: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take away what was recorded after a checkpoint: it will be recorded again.

        Args:
            lengths: What `lengths` gave when the checkpoint was made.
            last_step: Its step; timings of later steps are dropped.
            history: The rows of history.csv at that moment.
        """
        for name in (METRICS, TIMINGS):
            path = self._directory / name
            if name in lengths:
                truncate(path, int(lengths[name]["size"]))
            elif name == TIMINGS and path.exists():
                rows = read_json_lines(path, "step").rows
                write_json_lines(path, [row for row in rows if row["step"] <= last_step])
            else:
                remove(path)
        self._history = list(history)
        if self._history:
            self._write_history()
        else:
            remove(self._directory / HISTORY)

    def _write_history(self) -> None:
        """Rows of an older version of qaexp have no cell for a number that was new since."""
        columns = dict.fromkeys(name for row in self._history for name in row)
        write_rows(self._directory / HISTORY, [{name: row.get(name) for name in columns} for row in self._history])

    def close(self) -> None:
        """Close all files."""
        for appender in self._appenders.values():
            appender.close()


def described(path: Path) -> dict[str, Any]:
    """Size and sha256 of a record file."""
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}
