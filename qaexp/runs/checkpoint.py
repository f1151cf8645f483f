"""Checkpoints of a run: folders `checkpoints/step-NNNNNNN` that stand whole or not at all, and are verified before use.

The folder's MANIFEST.json holds size and sha256 of each file in it, its own sha256, and how long every record file of
the run was at that moment, so that a resumed run writes on where the checkpoint stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CHECKPOINTS, MANIFEST, SCHEMA_VERSION
from qaexp.runs.trust import bytes_problem
from qaexp.storage.files import TEMP_PREFIX, write_chunks, write_text
from qaexp.storage.folders import commit_directory, make_directory, new_directory, remove
from qaexp.storage.formats import json_text
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes, read_json
from qaexp.storage.vouched import sha256, sha256_of

KEPT = 2
"""The newest checkpoints that stay, so that a damaged one has a predecessor."""

_NAME = re.compile(r"step-(\d{7,})")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a checkpoint before it is written: its size in bytes, and what yields its bytes."""

    num_bytes: int
    chunks: Callable[[], Iterator[memoryview]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose every byte was verified.

    Attributes:
        path: Its folder.
        step: Steps done.
        identity: The sha256 of the run that it belongs to.
        records: Of each record file of the run, `{size, sha256}` of what stood in it.
    """

    path: Path
    step: int
    identity: str
    records: Mapping[str, Mapping[str, Any]]


def commit_checkpoint(
    directory: Path,
    step: int,
    contents: Mapping[str, Content],
    *,
    identity: str,
    records: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Commit a checkpoint of the run in `directory`.

    Args:
        directory: The run directory.
        step: Steps done.
        contents: The files by name.
        identity: The sha256 of the run.
        records: See `Checkpoint`.

    Returns:
        The folder of the checkpoint.

    Raises:
        StorageError: When the system refuses; the checkpoints before it still stand.
    """
    final = checkpoint_folder(directory, step)
    make_directory(final.parent)
    with new_directory(final) as folder:
        files = {
            name: {
                "sha256": write_chunks(folder / name, content.chunks(), content.num_bytes),
                "size": content.num_bytes,
            }
            for name, content in contents.items()
        }
        about = {
            "schema_version": SCHEMA_VERSION,
            "step": step,
            "identity": identity,
            "records": {name: dict(length) for name, length in records.items()},
            "files": files,
        }
        write_text(folder / MANIFEST, _sealed(about))
    return final


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


def verify_checkpoint(path: Path, *, final: Path | None = None) -> Checkpoint:
    """Read every byte of a checkpoint.

    Args:
        path: Its folder.
        final: Where the folder belongs; None: it stands there.

    Raises:
        IntegrityError: Naming the file that is not what was written, is missing, or is one too many.
    """
    if path.is_symlink() or not path.is_dir():
        raise IntegrityError(f"{path}: not a folder")
    about = _manifest(path / MANIFEST)
    if about["schema_version"] > SCHEMA_VERSION:
        raise IntegrityError(f"{path}: made by a newer qaexp (schema_version {about['schema_version']}); upgrade qaexp")
    if (final or path) != checkpoint_folder(path.parents[1], about["step"]):
        raise IntegrityError(f"{path}: holds the checkpoint of step {about['step']}")
    names = {found.name for found in path.iterdir()} - {MANIFEST}
    if odd := sorted(names ^ set(about["files"])):
        raise IntegrityError(f"{path / odd[0]}: {'is missing' if odd[0] in about['files'] else 'does not belong here'}")
    for name, stored in about["files"].items():
        _verify_file(path / name, stored)
    return Checkpoint(path, about["step"], about["identity"], about["records"])


def find_checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoint folders of a run directory, the newest first, damaged ones among them."""
    folder = directory / CHECKPOINTS
    is_own = folder.is_dir() and not folder.is_symlink()
    names = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if is_own else []
    return sorted(names, key=lambda path: int(path.name.removeprefix("step-")), reverse=True)


def newest_step(directory: Path) -> int | None:
    """The step of the newest checkpoint that looks whole, of none does the newest; None without one.

    Files are held against their sizes alone, so that many runs can be looked at: `newest_checkpoint` reads every byte.
    """
    found = find_checkpoints(directory)
    chosen = next(filter(_looks_whole, found), found[0] if found else None)
    return int(chosen.name.removeprefix("step-")) if chosen else None


def _looks_whole(path: Path) -> bool:
    try:
        files = _manifest(path / MANIFEST)["files"]
        return all((path / name).stat().st_size == stored["size"] for name, stored in files.items())
    except (IntegrityError, OSError, KeyError, TypeError):
        return False


def newest_checkpoint(directory: Path, identity: str | None) -> tuple[Checkpoint | None, list[str]]:
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
        raise IntegrityError(
            *problems,
            f"{directory / CHECKPOINTS}: none of its {len(problems)} checkpoints can be used; restore one from a "
            "backup, or move the folder away to start over",
        )
    return None, []


def prune(directory: Path, *, best_step: int | None, spared: Collection[Path] = ()) -> None:
    """Delete old checkpoints: the newest `KEPT` stay, and that of the best evaluation; damaged ones are left alone."""
    healthy = [path for path in find_checkpoints(directory) if path not in spared]
    for path in healthy[KEPT:]:
        if best_step is None or path != checkpoint_folder(directory, best_step):
            remove(path)


def checkpoint_folder(directory: Path, step: int) -> Path:
    """The folder of a step's checkpoint."""
    return directory / CHECKPOINTS / f"step-{step:07d}"


def described(path: Path) -> dict[str, Any]:
    """Return size and sha256 of a record file as it stands."""
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def _sealed(about: Mapping[str, Any]) -> str:
    """The text of a manifest, with the sha256 of all else in it."""
    return json_text({**about, "sha256": sha256(json_text(about).encode())})


def _manifest(path: Path) -> dict[str, Any]:
    """Read a manifest that is byte for byte what was written."""
    try:
        about = read_json(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path}: is missing") from None
    seal = about.pop("sha256", None)
    if seal is None or read_bytes(path) != _sealed(about).encode():
        raise IntegrityError(f"{path}: was changed after it was written")
    if not _is_well_formed(about):
        raise IntegrityError(f"{path}: is no manifest of a checkpoint; refused")
    for name in (*about["files"], *about["records"]):
        if not _PLAIN_NAME.fullmatch(name):
            raise IntegrityError(f"{path}: names {name!r}, which is no plain file name; refused")
    return about


def _is_well_formed(about: Mapping[str, Any]) -> bool:
    tables = [about.get("files"), about.get("records")]
    entries = [entry for table in tables if isinstance(table, dict) for entry in table.values()]
    return (
        all(isinstance(table, dict) for table in tables)
        and all(isinstance(about.get(key), int) for key in ("schema_version", "step"))
        and isinstance(about.get("identity"), str)
        and all(
            isinstance(entry, dict) and isinstance(entry.get("size"), int) and isinstance(entry.get("sha256"), str)
            for entry in entries
        )
    )


def _verify_file(path: Path, stored: Mapping[str, Any]) -> None:
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"{path}: not a regular file")
    if problem := bytes_problem(path, stored):
        raise IntegrityError(problem)


def _verify_start(path: Path, stored: Mapping[str, Any]) -> None:
    """Hold the beginning of a record file against what a checkpoint says of it."""
    try:
        start = read_bytes(path, MAX_TABLE_BYTES)[: stored["size"]]
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256(start) != stored["sha256"] or len(start) != stored["size"]:
        raise IntegrityError(f"{path}: its first {stored['size']} bytes are not what was written")
