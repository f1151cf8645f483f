"""Checkpoints of a run: folders `checkpoints/step-NNNNNNN` that exist whole or not at all, and are verified before use.

The folder's MANIFEST.json holds size and sha256 of each file in it, its own sha256, and how long every record file of
the run was at that moment, so that a resumed run continues them where the checkpoint was made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CHECKPOINTS, MANIFEST, SCHEMA_VERSION
from qaexp.runs.trust import bytes_problem
from qaexp.storage.content import Content
from qaexp.storage.files import write_chunks, write_text
from qaexp.storage.folders import make_directory, new_directory
from qaexp.storage.formats import json_text
from qaexp.storage.reading import read_bytes, read_json
from qaexp.storage.vouched import sha256

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class TrainingCheckpoint:
    """A checkpoint whose every byte was verified.

    Attributes:
        path: Its folder.
        step: Steps done.
        identity: The sha256 of the run that it belongs to.
        records: Of each record file of the run, its `{size, sha256}` at that moment.
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
        records: See `TrainingCheckpoint`.

    Returns:
        The folder of the checkpoint.

    Raises:
        StorageError: When the system refuses; the checkpoints before it are still there.
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


def verify_checkpoint(path: Path, *, final: Path | None = None) -> TrainingCheckpoint:
    """Read every byte of a checkpoint.

    Args:
        path: Its folder.
        final: Where the folder belongs; None: it is there.

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
    return TrainingCheckpoint(path, about["step"], about["identity"], about["records"])


def looks_whole(path: Path) -> bool:
    """Whether the files of a checkpoint have their sizes; no byte of them is read."""
    try:
        files = _manifest(path / MANIFEST)["files"]
        return all((path / name).stat().st_size == stored["size"] for name, stored in files.items())
    except (IntegrityError, OSError, KeyError, TypeError):
        return False


def checkpoint_folder(directory: Path, step: int) -> Path:
    """The folder of a step's checkpoint."""
    return directory / CHECKPOINTS / f"step-{step:07d}"


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
        raise IntegrityError(f"{path}: is not the manifest of a checkpoint; refused")
    for name in (*about["files"], *about["records"]):
        if not _PLAIN_NAME.fullmatch(name):
            raise IntegrityError(f"{path}: names {name!r}, which is not a plain file name; refused")
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
