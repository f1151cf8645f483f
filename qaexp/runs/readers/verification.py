"""Holding a run directory against its own manifest: every byte of its results, of the manifest and of the summary."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from qaexp.errors import IntegrityError, QaexpError
from qaexp.runs.checkpoint import verify_checkpoint
from qaexp.runs.directory import CONFIG, HISTORY, MANIFEST, METRICS, MODEL, SUMMARY, link_problems, result_files
from qaexp.runs.kept_checkpoints import find_checkpoints
from qaexp.runs.manifest import read_manifest
from qaexp.runs.number import is_number
from qaexp.runs.readers.collect import RunFiles
from qaexp.runs.readers.folder import COMPLETED, DAMAGED, RUNNING, UNFINISHED_END, Folder, look
from qaexp.runs.trust import bytes_problem, missing
from qaexp.storage.reading import read_json_lines

_MOMENT = 0.2


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in a run directory.

    Attributes:
        path: The run directory.
        state: What it is, as every command says it.
        is_complete: There is a summary.json, and it is this run's.
        num_files: Files whose bytes were checked, including those of checkpoints.
        problems: One sentence for each file that is not what was written.
    """

    path: Path
    state: str
    is_complete: bool
    num_files: int
    problems: list[str]


def verify_run(directory: Path) -> Verified:
    """Check a run directory: all that its manifest names, and its checkpoints; of an unfinished run, what there is.

    Raises:
        ConfigError: It is not a run directory, or a newer qaexp made it.
    """
    folder = look(directory)
    if folder.state != DAMAGED:
        folder.check_readable()
    problems, num_files = verify_results(folder)
    problems += _record_problems(folder)
    problems += [problem for problem in link_problems(directory) if problem not in problems]
    more, num_more = _checkpoint_problems(folder)
    return Verified(directory, folder.state, folder.state == COMPLETED, num_files + num_more, problems + more)


def verify_results(folder: Folder) -> tuple[list[str], int]:
    """Hold what a run wrote against its manifest; of an unfinished run, what has one.

    Returns:
        A sentence for each file that is not what was written, and how many files were checked against it.
    """
    has_ended = folder.state in (COMPLETED, UNFINISHED_END, DAMAGED)
    if not has_ended and (folder.state == RUNNING or not os.path.lexists(folder.path / MANIFEST)):
        return list(folder.problems), 0
    changed, num_files = _changed_files(folder.path)
    return _each_file_once(folder.path, list(folder.problems), changed), num_files


def _changed_files(directory: Path) -> tuple[list[str], int]:
    """Hold the files of a run against its manifest, whether or not it is the manifest that was written.

    Args:
        directory: The run directory.

    Returns:
        A sentence for each file that was changed, lost or added since the manifest was written; and how many files
        were checked against it, including the manifest and summary.json. Without a readable manifest: what is wrong
        with it.
    """
    try:
        manifest = read_manifest(directory)
    except FileNotFoundError:
        return [missing(directory / MANIFEST)], int((directory / SUMMARY).is_file())
    except IntegrityError as error:
        return list(error.problems), int((directory / SUMMARY).is_file())
    problems = [problem for name, stored in manifest.items() if (problem := _file_problem(directory, name, stored))]
    for path in _results(directory):
        if path.relative_to(directory).as_posix() not in manifest:
            problems.append(f"{path}: does not belong here (the manifest does not name it)")
    return problems, len(manifest) + sum((directory / name).is_file() for name in (MANIFEST, SUMMARY))


def _record_problems(folder: Folder) -> Iterator[str]:
    """What is wrong with the order of the records of a completed run: two owners write a step twice."""
    if folder.state != COMPLETED:
        return
    run = RunFiles(folder.path, folder.config or {}, folder.record or {}, folder.summary)
    try:
        steps = [record.get("step") for record in read_json_lines(folder.path / METRICS).rows]
        epochs = [row.get("epoch") for row in run.history()]
    except (QaexpError, FileNotFoundError):
        return  # a file that is missing or cannot be read is reported already
    for name, what, numbers in ((METRICS, "step", steps), (HISTORY, "epoch", epochs)):
        if found := _first_out_of_order(numbers):
            order = f"{what} {found[1]} comes after {what} {found[0]}"
            yield f"{folder.path / name}: {order}; each must come once, in its order"


def _first_out_of_order(numbers: Sequence[Any]) -> tuple[Any, Any] | None:
    """The first two neighbours of which the second is not the greater one."""
    for one, other in pairwise(numbers):
        if not (is_number(one) and is_number(other) and one < other):
            return one, other
    return None


def _each_file_once(directory: Path, problems: list[str], changed: list[str]) -> list[str]:
    """Both lists; problems of config.json and the manifest, which both may name, appear once."""
    told = tuple(
        path
        for path in (f"{directory / CONFIG}:", f"{directory / MANIFEST}:")
        if any(problem.startswith(path) for problem in problems)
    )
    return problems + [problem for problem in changed if not problem.startswith(told or ("\0",))]


def _results(directory: Path) -> Iterator[Path]:
    """The files that a manifest covers, and links in model/, which nothing wrote."""
    yield from result_files(directory)
    folder = directory / MODEL
    inner = folder.rglob("*") if not folder.is_symlink() else ()
    yield from (path for path in inner if path.is_symlink() and not path.is_file())


def _checkpoint_problems(folder: Folder) -> tuple[list[str], int]:
    """What is wrong with the checkpoints, and how many files of theirs were looked at."""
    problems: list[str] = []
    num_files = 0
    for path in find_checkpoints(folder.path):
        found = _checkpoint_problem(path)
        if any(problem.endswith("is missing") for problem in found) or (found and folder.state == RUNNING):
            # A run deletes old checkpoints, and all of them when it is completed: it may be at it with this one.
            time.sleep(_MOMENT)
            if not os.path.lexists(path):
                continue
            found = _checkpoint_problem(path)
        problems += found
        num_files += _num_files(path)
    return problems, num_files


def _num_files(path: Path) -> int:
    try:
        return len(list(path.iterdir()))
    except OSError:
        return 1


def _checkpoint_problem(path: Path) -> list[str]:
    try:
        verify_checkpoint(path)
    except IntegrityError as error:
        return list(error.problems)
    except FileNotFoundError as error:
        return [f"{error.filename}: is missing"]
    except OSError as error:
        return [f"{error.filename}: cannot be read: {error.strerror or error}"]
    return []


def _file_problem(directory: Path, name: str, stored: dict[str, Any]) -> str | None:
    path = directory / name
    if any(part.is_symlink() for part in (path, *path.parents[: len(PurePosixPath(name).parts) - 1])):
        return f"{path}: is a link, which is not followed"
    if not path.is_file():
        return f"{path}: is not a regular file" if os.path.lexists(path) else f"{path}: is missing"
    try:
        return bytes_problem(path, stored)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
