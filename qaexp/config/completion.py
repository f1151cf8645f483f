"""What the Tab key offers: keys that people set, and the folders and files that a key may name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from hydra.plugins.completion_plugin import CompletionPlugin

from qaexp.config.checks.as_typed import DATA_FILES, FOLDERS, PATHS

_query = CompletionPlugin._query
# Flags that Hydra's parser does not know, with their values.
_OWN_FLAGS = re.compile(r"(?:^|(?<=\s))--(?:from|allow)(?:=|\s+)\S*\s?")


def register_completion() -> None:
    """Let Hydra's completion offer this."""
    CompletionPlugin._query = _offered  # type: ignore[method-assign]


def _offered(self: CompletionPlugin, config_name: str | None, line: str) -> list[str]:
    line = _OWN_FLAGS.sub("", line)
    word = "" if line.endswith(" ") or not line.split() else line.split()[-1]
    key, equals, value = word.partition("=")
    if equals and key in (*PATHS, *FOLDERS):
        # A shell takes a space for the end of a word.
        return sorted(f"{key}={path}" for path in _paths(value, with_files=key in DATA_FILES) if " " not in path)
    return [found for found in _query(self, config_name, line) if not _is_special(found)]


def _is_special(found: str) -> bool:
    """Whether it is a key of what is built, as `optimizer._target_`."""
    return re.search(r"(^|\.)_\w+_(=|$)", found) is not None


def _paths(typed: str, *, with_files: bool) -> Iterator[str]:
    """The folders, and where they may be named the files, that begin as typed; folders end with a slash."""
    start = typed.rpartition("/")[0] + "/" if "/" in typed else ""
    try:
        entries = sorted(os.scandir(Path(start).expanduser() if start else "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{start}{entry.name}"
        if path.startswith(typed) and (entry.name[0] != "." or path == typed):
            if entry.is_dir():
                yield f"{path}/"
            elif with_files:
                yield path
