"""Holding a run directory against its own manifest: every byte of its results, of the manifest and of the summary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.checkpoint import find_checkpoints, verify_checkpoint
from qaexp.runs.collect import read_run
from qaexp.runs.directory import MANIFEST, SUMMARY, result_files
from qaexp.runs.manifest import sha256_of
from qaexp.runs.reading import read_json


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in a run directory.

    Attributes:
        path: The run directory.
        state: As run.json tells it.
        is_complete: summary.json stands.
        num_files: Files whose bytes were checked, those of checkpoints counted.
        problems: One sentence for each file that is not what was written.
    """

    path: Path
    state: str
    is_complete: bool
    num_files: int
    problems: list[str]


def verify_run(directory: Path) -> Verified:
    """Check a run directory; of an unfinished run, what there is.

    Raises:
        ConfigError: It is no run directory, or a newer qaexp made it.
        IntegrityError: Its run.json, config.json or summary.json cannot be read at all.
    """
    run = read_run(directory)
    problems: list[str] = []
    num_files = 0
    if run.summary is not None:
        num_files, problems = _verify_results(directory, run.summary, run.run.get("summary_sha256"))
        if run.run.get("state") != "completed":
            problems.append(f"{directory / SUMMARY}: stands, though run.json says {run.run.get('state')!r}")
    for path in find_checkpoints(directory):
        try:
            verify_checkpoint(path)
        except IntegrityError as error:
            problems += error.problems
        num_files += len(list(path.iterdir())) if path.is_dir() else 1
    return Verified(directory, str(run.run.get("state")), run.summary is not None, num_files, problems)


def _verify_results(directory: Path, summary: dict[str, Any], summary_sha256: Any) -> tuple[int, list[str]]:
    """How many files were checked, and what is wrong with them."""
    problems: list[str] = []
    if sha256_of(directory / SUMMARY) != summary_sha256:
        problems.append(f"{directory / SUMMARY}: its bytes are not what was written (sha256 differs from run.json's)")
    try:
        manifest = _manifest(directory, summary)
    except IntegrityError as error:
        return 1, [*problems, *error.problems]
    for name, stored in manifest.items():
        problems += _file_problems(directory, name, stored)
    for path in result_files(directory):
        name = path.relative_to(directory).as_posix()
        if name not in manifest:
            problems.append(f"{path}: does not belong here (the manifest does not name it)")
    return 2 + len(manifest), problems


def _manifest(directory: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The files of the manifest, which is the one that the summary names.

    Raises:
        IntegrityError: It is missing, was changed, or names files elsewhere.
    """
    path = directory / MANIFEST
    try:
        files = read_json(path)["files"]
    except (FileNotFoundError, KeyError):
        raise IntegrityError(f"{path}: is missing, or names no files") from None
    if sha256_of(path) != summary.get("manifest_sha256"):
        raise IntegrityError(f"{path}: its bytes are not what was written (sha256 differs from summary.json's)")
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name:
            raise IntegrityError(f"{path}: names {name!r}, which is no file of this run; refused")
    found: dict[str, Any] = files
    return found


def _file_problems(directory: Path, name: str, stored: dict[str, Any]) -> list[str]:
    path = directory / name
    if any(part.is_symlink() for part in (path, *path.parents[: len(PurePosixPath(name).parts) - 1])):
        return [f"{path}: is a link, which is not followed"]
    if not path.is_file():
        return [f"{path}: is missing"]
    size = path.stat().st_size
    if size != stored["size"]:
        return [f"{path}: has {size} bytes instead of {stored['size']}"]
    if sha256_of(path) != stored["sha256"]:
        return [f"{path}: its bytes are not what was written (sha256 differs)"]
    return []
