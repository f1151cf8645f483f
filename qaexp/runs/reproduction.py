"""Two runs of one config held against each other: the same bytes, or the first step that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from qaexp.runs.collect import RunFiles, read_run
from qaexp.runs.directory import CONFIG, DATA, ENVIRONMENT, MANIFEST, METRICS
from qaexp.runs.formats import dotted
from qaexp.runs.reading import read_json

LOSS_TOLERANCE = 0.01
"""Where equal bytes are not promised (CUDA without `trainer.deterministic`), losses may differ by this share."""

# A run's name stands in its config; its environment is told apart from its results.
_NOT_COMPARED = (CONFIG, ENVIRONMENT, METRICS)
_WORLD = ("git", "versions", "device", "threads", "determinism", "machine")


def promises_same_bytes(run: Path) -> bool:
    """Say whether a run was computed so that another one must give the same bytes."""
    return bool(read_json(run / ENVIRONMENT).get("determinism", {}).get("same_bytes"))


def first_difference(one: Path, other: Path, tolerance: float = 0.0) -> str | None:
    """Name the first step whose record differs, and how.

    Args:
        one: A run directory.
        other: A run of the same config.
        tolerance: The share by which numbers may differ; 0: not at all.

    Returns:
        A sentence; None when all steps are alike.
    """
    steps = zip_longest(read_run(one).steps().rows, read_run(other).steps().rows)
    for mine, theirs in steps:
        if mine is None or theirs is None:
            there, where = (mine, one) if theirs is None else (theirs, other)
            return f"step {there['step']}: stands only in {where / METRICS}"
        for key in mine:
            if not _alike(mine[key], theirs.get(key), tolerance):
                return f"step {mine['step']}: {key} is {mine[key]!r} in {one} and {theirs.get(key)!r} in {other}"
    return None


def differing_files(one: Path, other: Path) -> Iterator[str]:
    """Yield a sentence about each result whose bytes differ."""
    mine, theirs = (read_json(path / MANIFEST)["files"] for path in (one, other))
    for name in dict.fromkeys((*mine, *theirs)):
        if name in _NOT_COMPARED:
            continue
        if name not in mine or name not in theirs:
            yield f"{name}: stands only in {one if name in mine else other}"
        elif _content(one, name, mine) != _content(other, name, theirs):
            yield f"{name}: its bytes differ"


def differing_world(one: RunFiles, other: RunFiles) -> Iterator[str]:
    """Yield a sentence about each difference of code, packages, device and machine."""
    mine, theirs = ({**_world(run), "code_hash": run.run.get("code_hash")} for run in (one, other))
    for key in dict.fromkeys((*mine, *theirs)):
        if mine.get(key) != theirs.get(key):
            yield f"{key}: was {mine.get(key)!r}, is {theirs.get(key)!r}"


def _world(run: RunFiles) -> dict[str, Any]:
    stored = read_json(run.path / ENVIRONMENT)
    return dotted({key: stored[key] for key in _WORLD if key in stored})


def _content(run: Path, name: str, files: Mapping[str, Any]) -> Any:
    """What must be alike: the bytes; of data.json all but the paths, which follow where the files stand."""
    return read_json(run / DATA) if name == DATA else files[name]["sha256"]


def _alike(mine: Any, theirs: Any, tolerance: float) -> bool:
    if mine == theirs:
        return True
    numbers = all(isinstance(value, int | float) for value in (mine, theirs))
    return numbers and tolerance > 0 and abs(mine - theirs) <= tolerance * max(abs(mine), abs(theirs))
