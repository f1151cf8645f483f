"""How often two groups were compared before with fewer seeds, from the records of the sweeps that hold their runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.comparison.entries import Entry
from qaexp.comparison.groups import Group
from qaexp.runs.writing.looks import looks


class EarlierLooks:
    """Reads the looks of every sweep that holds one of the runs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Take all runs of a table."""
        folders = dict.fromkeys(entry.run.path.parent for entry in entries)
        self._looks: dict[Path, list[frozenset[str]]] = {
            folder: [frozenset(look.run_ids) for look in looks(folder)] for folder in folders
        }

    def of(self, a: Group, b: Group) -> list[tuple[int, int]]:
        """How many runs each of two groups had whenever their sweep was looked at with fewer of them, in order."""
        found: dict[frozenset[str], tuple[int, int]] = {}
        everybody = frozenset(entry.run.run_id for entry in (*a.entries, *b.entries))
        for folder in dict.fromkeys(entry.run.path.parent for entry in (*a.entries, *b.entries)):
            for seen in self._looks.get(folder, []):
                counts = (_seen(a, seen), _seen(b, seen))
                if min(counts) > 0 and not everybody <= seen:
                    found.setdefault(seen & everybody, counts)
        return list(found.values())


def _seen(group: Group, run_ids: frozenset[str]) -> int:
    return sum(entry.run.run_id in run_ids for entry in group.entries)
