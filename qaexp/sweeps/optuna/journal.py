"""The journal of a search, which a kill may have torn and anybody may have damaged."""

from __future__ import annotations

import json
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.runs.log import LOGGER
from qaexp.storage.appender import truncate
from qaexp.storage.files import write_bytes
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes

JOURNAL = "optuna.journal"


def check_journal(path: Path) -> None:
    """Cut a torn last line off a journal; a journal that is damaged elsewhere is refused, and copied.

    Raises:
        IntegrityError: Naming the line and the copy; or it is a link, a pipe or the like, which Optuna would follow.
    """
    try:
        data = read_bytes(path, MAX_TABLE_BYTES)
    except FileNotFoundError:
        return
    lines = data.split(b"\n")
    if lines[-1]:
        LOGGER.warning("%s: a torn last line was dropped", path)
        truncate(path, len(data) - len(lines[-1]))
    for number, line in enumerate(lines[:-1], 1):
        try:
            is_record = isinstance(json.loads(line), dict)
        except ValueError:
            is_record = False
        if not is_record:
            copy = path.with_name(f"{path.name}.damaged")
            write_bytes(copy, data)
            raise IntegrityError(
                f"{path}: line {number} is damaged; a copy is in {copy}; move the journal away to begin the search "
                "anew: its runs stay, and are used again where the same values are drawn"
            )
