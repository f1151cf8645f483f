"""What the board knows, and what of it changed since somebody asked last."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Kind = Literal["runs", "folders", "left_out"]
Entry = Mapping[str, Any]

KINDS: tuple[Kind, ...] = ("runs", "folders", "left_out")
# So many that are gone are remembered; who asked before the oldest of them went is told everything.
MOST_GONE = 10_000


class Index:
    """Entries by kind and id, each with the number of its last change; written by one thread, read by others."""

    def __init__(self) -> None:
        # Another server counts anew: its numbers mean nothing here.
        self._origin = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._number = self._oldest = 0
        self._entries: dict[Kind, dict[str, tuple[int, Entry]]] = {kind: {} for kind in KINDS}
        self._gone: dict[tuple[Kind, str], int] = {}
        self._paths: dict[str, Path] = {}

    def put(self, kind: Kind, entry: Entry, path: Path) -> None:
        """Take an entry, which has an `id`; one that is what it was is no change."""
        name = entry["id"]
        with self._lock:
            before = self._entries[kind].get(name)
            if before is None or (before[1] is not entry and before[1] != entry):
                self._number += 1
                self._entries[kind][name] = (self._number, entry)
                self._gone.pop((kind, name), None)
            if kind == "runs":
                self._paths[name] = path

    def has(self, kind: Kind, name: str) -> bool:
        """Whether there is such an entry."""
        return name in self._entries[kind]

    def keep_only(self, kind: Kind, names: Collection[str]) -> None:
        """Forget the entries of a kind whose ids are not among these."""
        with self._lock:
            for name in self._entries[kind].keys() - names:
                self._number += 1
                del self._entries[kind][name]
                self._gone[kind, name] = self._number
                if kind == "runs":
                    del self._paths[name]
            while len(self._gone) > MOST_GONE:
                self._oldest = self._gone.pop(next(iter(self._gone)))

    def paths_of(self, names: Sequence[str]) -> list[Path | None]:
        """The folders of runs; None for an id that there is not."""
        with self._lock:
            return [self._paths.get(name) for name in names]

    def changes(self, since: str) -> dict[str, Any]:
        """What changed.

        Args:
            since: The `token` of an earlier reply; anything else: everything is told.

        Returns:
            `token`; `is_all`, whether this is everything and not only what changed; the entries by kind; and `gone`,
            the ids by kind.
        """
        with self._lock:
            after = self._after(since)
            found: dict[str, Any] = {"token": f"{self._origin}.{self._number}", "is_all": after is None}
            low = -1 if after is None else after
            for kind, entries in self._entries.items():
                found[kind] = [entry for number, entry in entries.values() if number > low]
            gone = [] if after is None else [place for place, number in self._gone.items() if number > after]
            found["gone"] = {kind: [name for its, name in gone if its == kind] for kind in KINDS}
            return found

    def _after(self, since: str) -> int | None:
        origin, _, number = since.partition(".")
        if origin != self._origin or not number.isdecimal() or len(number) > 18:
            return None
        return int(number) if self._oldest <= int(number) <= self._number else None
