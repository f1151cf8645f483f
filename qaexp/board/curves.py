"""The curves of one run, read when somebody looks at them: what came to the file since then, and not the whole file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import METRICS
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.storage.reading import MAX_LINE_BYTES, opened_file

Point = tuple[float, float]

# A curve that is told at once has at most about so many points.
MOST_POINTS = 1000


def curve_of(run: Path, since: str) -> dict[str, Any]:
    """The loss by step and the dev f1 by step of a run.

    Args:
        run: Its folder.
        since: The `since` of an earlier reply, for the losses that came after it; anything else: all of them.

    Returns:
        `since`; `is_all`, whether `loss` begins at the first step; `loss`, `f1`, lists of [step, value]; and `problem`,
        a sentence where a file cannot be read, else None.
    """
    found: dict[str, Any] = {"since": "", "is_all": True, "loss": [], "f1": [], "problem": None}
    try:
        found |= _losses(run / METRICS, since)
        found["f1"] = _thinned([*_points(RunFiles(run, {}, {}, None).history(), "f1")])
    except FileNotFoundError:
        pass
    except (IntegrityError, OSError) as error:
        found["problem"] = str(error)
    return found


def _losses(path: Path, since: str) -> dict[str, Any]:
    with opened_file(path) as file:
        status = os.fstat(file.fileno())
        begin = _begin(since, status.st_ino, status.st_size)
        file.seek(begin)
        points = [*_points(_records(file, path), "loss")]
        return {
            "since": f"{status.st_ino}.{file.tell()}",
            "is_all": begin == 0,
            "loss": _thinned(points),
        }


def _begin(since: str, inode: int, size: int) -> int:
    """Where to go on in a file; at its beginning where it is another one, or shorter than it was.

    >>> _begin("7.100", 7, 200), _begin("7.100", 8, 200), _begin("7.100", 7, 50), _begin("x", 7, 50)
    (100, 0, 0, 0)
    """
    known, _, place = since.partition(".")
    if known != str(inode) or not place.isdecimal() or len(place) > 18:
        return 0
    return int(place) if int(place) <= size else 0


def _records(file: BufferedReader, path: Path) -> Iterator[dict[str, Any]]:
    """The records up to the last whole line, behind which the file stays; lines that are none are left out."""
    while True:
        place = file.tell()
        line = file.readline(MAX_LINE_BYTES + 1)
        if len(line) > MAX_LINE_BYTES:
            raise IntegrityError(f"{path}: a line is longer than any run writes; refused")
        if not line.endswith(b"\n"):
            file.seek(place)
            return
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def _points(records: Iterator[dict[str, Any]] | Sequence[dict[str, Any]], name: str) -> Iterator[Point]:
    for record in records:
        step, value = record.get("step"), record.get(name)
        if is_number(step) and is_number(value):
            yield step, value


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Every so-manieth point where they are too many, and the last one.

    >>> len(_thinned([(step, 0.0) for step in range(2500)]))
    834
    """
    stride = -(-len(points) // MOST_POINTS)
    if stride <= 1:
        return points
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
