"""Two runs of one config held against each other: the same bytes, or the first step that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from string import hexdigits
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CONFIG, ENVIRONMENT, METRICS, result_files
from qaexp.runs.manifest import read_manifest
from qaexp.runs.readers.collect import RunFiles, read_run
from qaexp.storage.formats import csv_rows, dotted
from qaexp.storage.reading import read_json_lines, read_small
from qaexp.storage.vouched import sha256_of

# Where equal bytes are not promised (CUDA without `trainer.deterministic`), losses may differ by this share.
LOSS_TOLERANCE = 0.01

# A run's name is in its config; its environment is compared apart from its results.
_NOT_RESULTS = (CONFIG, ENVIRONMENT)
_DIGITS, _HASH_LENGTH = 8, 40
_WORKING = "git.working_directory"
_WORLD = ("git", "versions", "device", "threads", "determinism", "machine")


@dataclass(frozen=True, slots=True)
class Files:
    """The results of two runs compared byte for byte.

    Attributes:
        num_compared: Files that are in both.
        different: A sentence about each that is not the same in both, or not what the original's manifest names.
        not_compared: A sentence about each that is in one alone though both runs wrote it, as far as is known.
    """

    num_compared: int
    different: list[str]
    not_compared: list[str]


def promises_same_bytes(*runs: Path) -> bool:
    """Say whether runs were computed so that they must give the same bytes, by the first env.json that can be read."""
    stored = next((found for run in runs if (found := read_small(run / ENVIRONMENT)[0]) is not None), {})
    determinism = stored.get("determinism")
    return bool(determinism.get("same_bytes")) if isinstance(determinism, dict) else False


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
            return f"step {there['step']}: is only in {where / METRICS}"
        for key in mine:
            if not _alike(mine[key], theirs.get(key), tolerance):
                return f"step {mine['step']}: {key} is {mine[key]!r} in {one} and {theirs.get(key)!r} in {other}"
    return None


def compare_files(original: Path, again: Path, *, has_step: bool = False) -> Files:
    """Hold the bytes of the results of two runs against each other.

    Args:
        original: A run directory.
        again: A run of the same config.
        has_step: A step that differs is reported already, and metrics.jsonl with it.
    """
    mine, theirs = _results(original), _results(again)
    if has_step:
        for files in (mine, theirs):
            files.pop(METRICS, None)
    both = [name for name in mine if name in theirs]
    differing = [name for name in both if not _is_same(mine[name], theirs[name])]
    found = Files(len(both), [], [])
    for name in differing:
        new = _new_columns(mine[name], theirs[name])
        if new:
            found.not_compared.append(f"{name}: {', '.join(new)} is only in {again}; all else is the same")
        else:
            found.different.append(f"{name}: its bytes differ")
    written = _written(original)
    for name in (name for name in mine if name not in theirs):
        (found.different if name in written else found.not_compared).append(f"{name}: is only in {original}")
    for name in (name for name in theirs if name not in mine):
        told = written.get(name, {}).get("sha256")
        if told is not None and told == sha256_of(theirs[name]):
            lost = f"{name}: is not in {original} any more; the new one has the sha256 that the manifest names"
            found.not_compared.append(lost)
        elif told is not None:
            found.different.append(f"{name}: the new one has another sha256 than the manifest names; it is lost")
        else:
            (found.different if written else found.not_compared).append(f"{name}: is only in {again}")
    return found


def differing_inputs(one: RunFiles, other: RunFiles) -> Iterator[str]:
    """Yield a sentence about each input of the results that is another one: data, weights, the code's version of them.

    A run whose run.json names no inputs says nothing of them.
    """
    told = [inputs for run in (one, other) if isinstance(inputs := run.run.get("inputs"), dict)]
    if len(told) < 2:
        return
    mine, theirs = map(dotted, told)
    for key in dict.fromkeys((*mine, *theirs)):
        if mine.get(key) != theirs.get(key):
            yield f"{key} was {_shortened(mine.get(key))}, now {_shortened(theirs.get(key))}"


def differing_world(one: RunFiles, other: RunFiles) -> Iterator[str]:
    """Yield a sentence about each difference of code, packages, device and machine."""
    worlds = [_world(one), _world(other)]
    for run, world in zip((one, other), worlds, strict=True):
        if world is None:
            yield f"{run.path / ENVIRONMENT}: cannot be read, so packages, device and machine are not compared"
    mine, theirs = ({} if None in worlds else dict(world or {}) for world in worlds)
    if _WORKING in mine.keys() | theirs.keys():
        # Git was not asked in one of them: there is no repository, or the command was started elsewhere.
        mine, theirs = ({key: world[key] for key in world if not key.startswith(_WORKING)} for world in (mine, theirs))
    mine["code_hash"], theirs["code_hash"] = one.run.get("code_hash"), other.run.get("code_hash")
    for key in dict.fromkeys((*mine, *theirs)):
        if mine.get(key) != theirs.get(key):
            yield f"{key}: was {mine.get(key)!r}, is {theirs.get(key)!r}"


def _shortened(value: Any) -> str:
    """A value for people: of a hash the first digits."""
    text = str(value)
    return text[:_DIGITS] if len(text) >= _HASH_LENGTH and set(text) <= set(hexdigits) else text


def _results(run: Path) -> dict[str, Path]:
    files = {path.relative_to(run).as_posix(): path for path in result_files(run)}
    return {name: path for name, path in files.items() if name not in _NOT_RESULTS}


def _world(run: RunFiles) -> dict[str, Any] | None:
    stored, _ = read_small(run.path / ENVIRONMENT)
    return None if stored is None else dotted({key: stored[key] for key in _WORLD if key in stored})


def _written(run: Path) -> dict[str, dict[str, Any]]:
    try:
        return read_manifest(run)
    except (FileNotFoundError, IntegrityError):
        return {}


def _is_same(mine: Path, theirs: Path) -> bool:
    return mine.stat().st_size == theirs.stat().st_size and sha256_of(mine) == sha256_of(theirs)


def _new_columns(mine: Path, theirs: Path) -> list[str]:
    """The columns that a later version of qaexp adds to a table; none where anything else differs."""
    if mine.suffix not in (".csv", ".jsonl"):
        return []
    try:
        one, other = _rows(mine), _rows(theirs)
    except (OSError, ValueError, IntegrityError):
        return []
    new = [name for name in (other[0] if other else ()) if name not in one[0]] if one else []
    kept = [{name: cell for name, cell in row.items() if name not in new} for row in other]
    return new if kept == one else []


def _rows(table: Path) -> Sequence[Mapping[str, Any]]:
    return csv_rows(table.read_text("utf-8")) if table.suffix == ".csv" else list(read_json_lines(table).rows)


def _alike(mine: Any, theirs: Any, tolerance: float) -> bool:
    if mine == theirs:
        return True
    numbers = all(isinstance(value, int | float) for value in (mine, theirs))
    return numbers and tolerance > 0 and abs(mine - theirs) <= tolerance * max(abs(mine), abs(theirs))
