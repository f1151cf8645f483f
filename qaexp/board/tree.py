"""The folders below those that were given: one that is what it was is not listed again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaexp.board.stamps import Clock, Stamp, stamp_of
from qaexp.runs.readers.collect import A_LINK, MAX_DEPTH, folders_in, may_be_run


@dataclass(frozen=True, slots=True)
class Place:
    """A folder.

    Attributes:
        path: It.
        stamp: Its stamp; None where it has just changed, so that the stamp does not count.
        is_run: Whether it may be a run.
        children: The folders in it, where it may not be one.
        links: The links in it, which are not followed.
        is_deepest: Whether what is in it is not looked at, because it lies too deep.
        problem: Why it cannot be looked into; None where it can.
    """

    path: Path
    stamp: Stamp | None
    is_run: bool = False
    children: Sequence[Path] = ()
    links: Sequence[Path] = ()
    is_deepest: bool = False
    problem: str | None = None

    @property
    def left_out(self) -> list[tuple[Path, str]]:
        """What in it is not looked at, with the reason."""
        return [(link, A_LINK) for link in self.links]


class Tree:
    """The folders below some others, as deep as runs are looked for."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Take the folders that were given, which may come and go."""
        self.roots = roots
        self._known: dict[str, Place] = {}

    def walk(self, clock: Clock) -> Iterator[Place]:
        """Yield every folder that is there once, those in it after it; one that vanishes meanwhile is none.

        Args:
            clock: Tells the time.
        """
        seen: dict[str, Place] = {}
        for root in self.roots:
            yield from self._below(root, os.path.realpath(root), MAX_DEPTH, clock, seen)
        self._known = seen

    def _below(self, path: Path, real: str, depth: int, clock: Clock, seen: dict[str, Place]) -> Iterator[Place]:
        if real in seen:  # a folder that was given lies in another one
            return
        place = self._looked_at(path, real, depth, clock)
        if place is None:
            return
        seen[real] = place
        yield place
        for child in place.children:
            yield from self._below(child, f"{real}{os.sep}{child.name}", depth - 1, clock, seen)

    def _looked_at(self, path: Path, real: str, depth: int, clock: Clock) -> Place | None:
        try:
            stamp = stamp_of(path, clock, follows=path in self.roots)
            known = self._known.get(real)
            if known is not None and known.path == path and stamp is not None and known.stamp == stamp:
                return known
            if may_be_run(path):
                return Place(path, stamp, is_run=True)
            children, links = folders_in(path) if depth > 0 else ([], [])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return Place(path, None, problem=error.strerror or str(error))
        return Place(path, stamp, children=children, links=links, is_deepest=depth == 0)
