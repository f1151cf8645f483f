"""The record files of an open run: lines that are appended, and history.csv, which is written anew each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.runs.directory import HISTORY
from qaexp.runs.files import Appender, write_rows
from qaexp.runs.formats import json_line


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
        """Commit history.csv with one more row, which has the keys of the others."""
        self._history.append(row)
        write_rows(self._directory / HISTORY, self._history)

    def close(self) -> None:
        """Close all files."""
        for appender in self._appenders.values():
            appender.close()
