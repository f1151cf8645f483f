"""Which small file of a run vouches for which: run.json for summary.json, and summary.json for MANIFEST.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import MANIFEST, RUN, STATES, SUMMARY
from qaexp.runs.manifest import read_manifest, sha256_of
from qaexp.runs.reading import read_json

_COMPLETED = STATES[1]


def read_small(path: Path) -> tuple[dict[str, Any] | None, str | None]:
    """What a JSON file holds, and what is wrong with it; twice None when there is none."""
    try:
        return read_json(path), None
    except FileNotFoundError:
        return None, None
    except IntegrityError as error:
        return None, str(error)


def summary_problems(directory: Path, record: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Hold summary.json against the files that speak of it.

    Args:
        directory: The run directory.
        record: Its run.json.
        summary: Its summary.json.

    Returns:
        What is wrong with run.json, summary.json and MANIFEST.json, a sentence each; and whether the summary is this
        run's. It is when run.json or the manifest says so. Where neither speaks of it (another tool made them), it is
        as long as run.json says that the run completed.
    """
    problems: list[str] = []
    path, told = directory / SUMMARY, record.get("summary_sha256")
    by_record = None if told is None else sha256_of(path) == told
    if by_record is False:
        problems.append(f"{path}: its bytes are not what was written (sha256 differs from {RUN}'s)")
    elif record.get("state") != _COMPLETED:
        problems.append(f"{path}: stands, though {RUN} says {record.get('state')!r}")
    by_manifest, problem = _is_manifest_of(directory / MANIFEST, summary.get("manifest_sha256"))
    problems += [problem] if problem else []
    if by_record is None and by_manifest is None:
        return problems, record.get("state") == _COMPLETED
    return problems, bool(by_record or by_manifest)


def missing(manifest: Path) -> str:
    """What it means that a manifest is missing."""
    return f"{manifest}: is missing, and without it no file can be checked"


def _is_manifest_of(path: Path, sha256: Any) -> tuple[bool | None, str | None]:
    """Whether a manifest is the one that a summary names (None: it cannot be told), and what is wrong with it."""
    try:
        read_manifest(path.parent)
    except FileNotFoundError:
        return None, None if sha256 is None else missing(path)
    except IntegrityError as error:
        return None if sha256 is None else _sha256_of_file(path) == sha256, str(error)
    if sha256 is None:
        return None, f"{path}: {SUMMARY} does not say which one it belongs to"
    if sha256_of(path) != sha256:
        return False, f"{path}: its bytes are not what was written (sha256 differs from {SUMMARY}'s)"
    return True, None


def _sha256_of_file(path: Path) -> str | None:
    """The sha256 of a regular file; None where there is none, or it may not be read."""
    try:
        return sha256_of(path) if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
