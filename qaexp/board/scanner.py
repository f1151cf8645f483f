"""One look at all folders: of a run that is what it was at the last look two stamps are read, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qaexp.board.index import Index
from qaexp.board.row import UNREADABLE, Known, id_of, known_of
from qaexp.board.stamps import Clock, Stamp, clock_from, stamps_of
from qaexp.board.sweeps import Sweeps
from qaexp.board.tree import Place, Tree
from qaexp.runs.directory import CHECKPOINTS, HISTORY, METRICS, RUN, SUMMARY
from qaexp.runs.owners import is_alive
from qaexp.runs.readers.collect import NO_RUN, is_run
from qaexp.runs.readers.folder import COMPLETED, NOT_A_RUN, SWEEP, look
from qaexp.runs.readers.progress import Skipped, not_started, progress_in
from qaexp.storage.formats import one_line

# Whole files are renamed into a folder, which its own stamp shows; these are also written in place.
_OF_A_COMPLETED: tuple[str, ...] = (RUN,)
_OF_ANY_OTHER: tuple[str, ...] = (RUN, SUMMARY, METRICS, HISTORY, CHECKPOINTS)
_WATCHED = (_OF_A_COMPLETED, _OF_ANY_OTHER)
MOST_LEFT_OUT = 200


@dataclass(slots=True)
class _Seen:
    """A run at a look, and the stamps by which the next one knows that it is what it was; None: they do not count."""

    known: Known | None
    left_out: tuple[Path, str] | None
    stamps: tuple[Stamp, ...] | None


@dataclass
class Scanner:
    """What is below some folders, look by look.

    Attributes:
        index: Takes what is found, run by run.
        num_read: So many runs were read since the start; the others were what they had been.
    """

    index: Index
    tree: Tree
    num_read: int = 0
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _planned: dict[Path, Known] = field(default_factory=dict)
    _begun: set[Path] = field(default_factory=set)
    _were_there: set[Path] = field(default_factory=set)
    _sweeps: Sweeps = field(default_factory=Sweeps)

    @property
    def roots(self) -> Sequence[Path]:
        """The folders that were given."""
        return self.tree.roots

    def look(self, now: datetime, is_closed: Callable[[], bool] = lambda: False) -> None:
        """Look at all folders.

        Args:
            now: The time now, with its zone.
            is_closed: Whether nobody wants to know any more.
        """
        clock = clock_from(now)
        seen: dict[Path, _Seen] = {}
        folders: dict[Path, list[Known]] = {}
        left_out: list[tuple[Path, str]] = []
        places: dict[Path, Place] = {}
        for place in self.tree.walk(clock):
            if is_closed():
                return
            places[place.path] = place
            left_out += place.left_out
            if not (place.is_run or place.problem):
                continue
            one = seen[place.path] = self._at(place, now, clock)
            if one.known is not None:
                self._put(one.known, folders)
            elif one.left_out is not None:
                left_out.append(one.left_out)
        self._seen = seen
        for known in self._waiting(places, now, clock):
            self._put(known, folders)
        self._finish(folders, [*left_out, *self._empty(places, folders)], now)

    def _waiting(self, places: dict[Path, Place], now: datetime, clock: Clock) -> Iterable[Known]:
        """The planned jobs of all sweeps that have no run yet."""
        sweeps = [path for path, place in places.items() if not (place.is_run or place.is_deepest)]
        jobs = [job for sweep in sweeps for job in self._sweeps.waiting(sweep, clock)]
        # One that has begun since its folder was looked at stays planned until the next look, which knows it as a run.
        begun = {job for job in self._planned if job not in self._seen and os.path.lexists(job / RUN)}
        jobs += begun - self._begun
        self._begun = begun
        self._planned = {job: self._planned.get(job) or known_of(None, not_started(job), now) for job in jobs}
        return self._planned.values()

    def _put(self, known: Known, folders: dict[Path, list[Known]]) -> None:
        own = folders.setdefault(known.path.parent, [])
        if not own and not self.index.has("folders", known.row["folder"]):
            self.index.put("folders", self._sweeps.first_words(known.path.parent), known.path.parent)
        own.append(known)
        self.index.put("runs", known.row, known.path)

    def _finish(self, folders: dict[Path, list[Known]], left_out: list[tuple[Path, str]], now: datetime) -> None:
        """Take what holds runs, and forget what is gone."""
        for folder, own in folders.items():
            self.index.put("folders", self._sweeps.words(folder, [one.state for one in own], now), folder)
        names = [one.row["id"] for own in folders.values() for one in own]
        self.index.keep_only("runs", set(names))
        self.index.keep_only("folders", {id_of(folder) for folder in folders})
        self._sweeps.keep_only(folders)
        told = [_told(path, reason) for path, reason in left_out[:MOST_LEFT_OUT]]
        for entry in told:
            self.index.put("left_out", entry, Path())
        self.index.keep_only("left_out", {entry["id"] for entry in told})

    def _at(self, place: Place, now: datetime, clock: Clock) -> _Seen:
        before = self._seen.get(place.path)
        if place.problem is not None:
            told = Skipped(place.path, UNREADABLE, place.problem)
            return _Seen(known_of(None, told, now), None, None)
        if before is not None and before.stamps is not None:
            own = _stamps_of(place, _watched(before.known), clock)
            record = before.known.record if before.known is not None else None
            # A process that is killed changes no file.
            if own == before.stamps and (record is None or is_alive(place.path, record, now)):
                return before
        return self._read(place, now, clock)

    def _read(self, place: Place, now: datetime, clock: Clock) -> _Seen:
        # Before the files are read: what changes meanwhile is read again.
        before = {names: _stamps_of(place, names, clock) for names in _WATCHED}
        self.num_read += 1
        try:
            folder = look(place.path, now)
            if not is_run(folder) and folder.state in (NOT_A_RUN, SWEEP):
                return _Seen(None, (place.path, folder.sentence), before[_OF_ANY_OTHER])
            known = known_of(folder, progress_in(folder, now), now)
        except Exception as error:  # whatever somebody has put there, it costs only its own line
            told = Skipped(place.path, UNREADABLE, f"cannot be read: {type(error).__name__}: {error}")
            known = known_of(None, told, now)
        return _Seen(known, None, before[_watched(known)])

    def _empty(self, places: dict[Path, Place], folders: dict[Path, list[Known]]) -> list[tuple[Path, str]]:
        """The folders that hold nothing, and given ones that are gone, with the reason."""
        holding = {above for folder in folders for above in (folder, *folder.parents)}
        jobs = {one.path for own in folders.values() for one in own}
        told = []
        for path, place in places.items():
            if not (place.is_run or place.problem or place.children or path in holding or path in jobs):
                told.append((path, NO_RUN))
        self._were_there.update(root for root in self.roots if root in places)
        return told + [(root, "is gone") for root in self._were_there if root not in places]


def _watched(known: Known | None) -> tuple[str, ...]:
    return _OF_A_COMPLETED if known is not None and known.state == COMPLETED else _OF_ANY_OTHER


def _stamps_of(place: Place, names: Sequence[str], clock: Clock) -> tuple[Stamp, ...] | None:
    if place.stamp is None:
        return None
    found = stamps_of(place.path, names, clock)
    return None if found is None else (place.stamp, *found)


def _told(path: Path, reason: str) -> dict[str, Any]:
    return {"id": id_of(path), "path": one_line(os.fspath(path)), "reason": one_line(reason)}
