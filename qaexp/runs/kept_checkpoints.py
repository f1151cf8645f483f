"""The checkpoints that a run keeps: which there are, which of them can be resumed from, and which are superfluous."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.checkpoint import TrainingCheckpoint, checkpoint_folder, looks_whole, verify_checkpoint
from qaexp.runs.directory import CHECKPOINTS
from qaexp.storage.files import TEMP_PREFIX
from qaexp.storage.folders import commit_directory, remove
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes
from qaexp.storage.vouched import sha256

# The newest checkpoints that are kept, so that a damaged one has a predecessor.
KEPT = 2

_NAME = re.compile(r"step-(\d{7,})")


def put_back(directory: Path) -> None:
    """Give a checkpoint its name again where a run ended between the two renames that replace it by another one.

    Both are whole then, under temporary names, and what has such a name is deleted at the next start.

    Args:
        directory: The run directory.

    Raises:
        StorageError: When the system refuses.
    """
    for temp in (directory / CHECKPOINTS).glob(f"{TEMP_PREFIX}step-*"):
        final = temp.with_name(temp.name.removeprefix(TEMP_PREFIX).rpartition("-")[0])
        if not final.exists():
            with suppress(IntegrityError):
                verify_checkpoint(temp, final=final)
                commit_directory(temp, final)


def find_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoint folders of a run directory, the newest first, damaged ones among them."""
    folder = directory / CHECKPOINTS
    names: list[Path] = []
    if folder.is_dir() and not folder.is_symlink():
        with suppress(FileNotFoundError):  # its own process has deleted it since
            names = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(names, key=lambda path: int(path.name.removeprefix("step-")), reverse=True)


def newest_step(directory: Path) -> int | None:
    """The step of the newest checkpoint that looks whole; None without one.

    Only the sizes of files are checked, so that many runs can be looked at: `newest_checkpoint` reads every byte.
    """
    chosen = next(filter(looks_whole, find_checkpoints(directory)), None)
    return int(chosen.name.removeprefix("step-")) if chosen else None


def none_is_whole(directory: Path) -> str | None:
    """The sentence that a run cannot go on, since it has checkpoints and none of them looks whole; else None."""
    found = find_checkpoints(directory)
    if not found or any(map(looks_whole, found)):
        return None
    return "its only checkpoint is not whole" if len(found) == 1 else f"none of its {len(found)} checkpoints is whole"


def newest_checkpoint(directory: Path, identity: str | None) -> tuple[TrainingCheckpoint | None, list[str]]:
    """Return the newest checkpoint that can be used, and a sentence about each newer one that cannot.

    Args:
        directory: The run directory.
        identity: The sha256 of the run; None takes a checkpoint of any.

    Returns:
        None as the checkpoint when the run has none.

    Raises:
        IntegrityError: There are checkpoints, and none can be used; nothing was deleted.
    """
    problems: list[str] = []
    for path in find_checkpoints(directory):
        try:
            checkpoint = verify_checkpoint(path)
            if identity is not None and checkpoint.identity != identity:
                raise IntegrityError(f"{path}: belongs to another run")
            for name, stored in checkpoint.records.items():
                _verify_start(directory / name, stored)
        except IntegrityError as error:
            problems += error.problems
        else:
            return checkpoint, problems
    if problems:
        all_of_them = (
            "its only checkpoint cannot" if len(problems) == 1 else f"none of its {len(problems)} checkpoints can"
        )
        raise IntegrityError(
            *problems,
            f"{directory / CHECKPOINTS}: {all_of_them} be used; restore one from a backup, or move this folder away to "
            "start over",
        )
    return None, []


def prune(directory: Path, *, best_step: int | None, spared: Collection[Path] = ()) -> None:
    """Delete old checkpoints, but the newest `KEPT`, the one of the best evaluation, and damaged ones."""
    healthy = [path for path in find_checkpoints(directory) if path not in spared]
    for path in healthy[KEPT:]:
        if best_step is None or path != checkpoint_folder(directory, best_step):
            remove(path)


def _verify_start(path: Path, stored: Mapping[str, Any]) -> None:
    """Hold the beginning of a record file against what a checkpoint says of it."""
    try:
        start = read_bytes(path, MAX_TABLE_BYTES)[: stored["size"]]
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256(start) != stored["sha256"] or len(start) != stored["size"]:
        raise IntegrityError(f"{path}: its first {stored['size']} bytes are not what was written")
