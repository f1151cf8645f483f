"""What is believed of a run's folder: whether its files are whole, edited, or another run's.

run.json vouches for summary.json, summary.json for MANIFEST.json, and the manifest for every file of results.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.errors.advice import lost_file
from qaexp.runs.directory import MANIFEST, RUN, STATES, SUMMARY
from qaexp.runs.manifest import read_manifest
from qaexp.storage.reading import opened_file, read_bytes
from qaexp.storage.vouched import WAY_OUT, not_written, sha256, sha256_of, vouched

_COMPLETED = STATES[1]


@dataclass(frozen=True, slots=True)
class Chain:
    """What the files that speak of a summary.json say.

    Attributes:
        problems: What is wrong with run.json, summary.json and MANIFEST.json, a sentence each.
        is_own: The summary is this run's: run.json or the manifest says so, or run.json says that the run completed and
            no manifest says that the summary is another's.
        names: The files that the manifest names; none when it cannot be read.
    """

    problems: Sequence[str]
    is_own: bool
    names: Sequence[str]


def follow_chain(directory: Path, record: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> Chain:
    """Hold summary.json against the files that speak of it.

    Args:
        directory: The run directory.
        record: Its run.json; None when it is lost.
        summary: Its summary.json.
    """
    state = _COMPLETED if record is None else record.get("state")
    files, problem = _listed(directory)
    edited = is_edited(directory, record or {})
    by_manifest = _is_manifest_of(directory / MANIFEST, summary.get("manifest_sha256"))
    problems = []
    if edited:
        problems.append(f"{directory / SUMMARY}: its bytes are not what was written (sha256 differs from {RUN}'s)")
    elif state != _COMPLETED:
        problems.append(f"{directory / SUMMARY}: exists, though {RUN} says {state!r}")
    elif record is not None and edited is None and by_manifest is not None:
        problems.append(f"{directory / SUMMARY}: {RUN} does not say its sha256")
    problems += _manifest_problems(directory, summary, by_manifest, problem)
    # What was edited is still the run's, and readers say so; only a summary that a manifest disowns too is another's.
    by_record = edited is False
    is_disowned = by_manifest is False and not by_record
    is_own = bool(by_record or by_manifest) or (state == _COMPLETED and not is_disowned)
    return Chain(problems, is_own, tuple(files))


def is_edited(directory: Path, record: Mapping[str, Any]) -> bool | None:
    """Whether summary.json has other bytes than run.json says; None where run.json says nothing.

    Args:
        directory: The run directory.
        record: Its run.json.

    Raises:
        OSError: It cannot be read.
    """
    told = record.get("summary_sha256")
    return None if told is None else sha256_of(directory / SUMMARY) != told


def edited_files(
    directory: Path, record: Mapping[str, Any], summary: Mapping[str, Any] | None, names: Sequence[str]
) -> list[str]:
    """The files that have other bytes than the run wrote: summary.json by its run.json, others by its manifest.

    Args:
        directory: The run directory.
        record: Its run.json.
        summary: Its summary.json; None where there is none.
        names: Which others are looked at; see `changed_files`.

    Raises:
        OSError: One of them cannot be read.
    """
    own = [SUMMARY] if is_edited(directory, record) else []
    return own + changed_files(directory, summary, list(dict.fromkeys(names)))


def changed_files(directory: Path, summary: Mapping[str, Any] | None, names: Sequence[str]) -> list[str]:
    """The files that have other bytes than the manifest says.

    Args:
        directory: The run directory; where its manifest is missing, cannot be read, or is not the one of its summary,
            no file is named.
        summary: Its summary.json; None where there is none.
        names: Files that a manifest covers.

    Raises:
        OSError: One of them cannot be read.
    """
    files, problem = _listed(directory)
    if problem is not None or _is_manifest_of(directory / MANIFEST, (summary or {}).get("manifest_sha256")) is False:
        return []
    return [
        name
        for name in names
        if name in files and (directory / name).is_file() and sha256_of(directory / name) != files[name]["sha256"]
    ]


def check_files(directory: Path, summary: Mapping[str, Any], names: Sequence[str]) -> None:
    """Check files of a completed run against its manifest, and the manifest against its summary.

    Args:
        directory: The run directory.
        summary: The content of summary.json.
        names: Files that the manifest covers.

    Raises:
        IntegrityError: Bytes are not those that the run wrote, or a file is missing; every file is named.
    """
    try:
        wanted = vouched(directory / MANIFEST, str(summary.get("manifest_sha256")), SUMMARY)
    except FileNotFoundError as error:
        raise IntegrityError(f"{directory} has no {MANIFEST}; {WAY_OUT}") from error
    problems = []
    for name in names:
        try:
            with opened_file(directory / name) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            problems.append(lost_file(directory / name, directory))
        else:
            problems += not_written(directory / name, wanted.get(name), found)
    if problems:
        raise IntegrityError(*problems)


def bytes_problem(path: Path, stored: Mapping[str, Any]) -> str | None:
    """What is wrong with the bytes of a file that was stored with this `size` and `sha256`; None: nothing.

    Raises:
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size != stored["size"]:
        return f"{path}: has {size} bytes instead of {stored['size']}"
    if sha256_of(path) != stored["sha256"]:
        return f"{path}: its bytes are not what was written (sha256 differs)"
    return None


def missing(manifest: Path) -> str:
    """What it means that a manifest is missing."""
    return f"{manifest}: is missing, and without it no file can be checked"


def _manifest_problems(
    directory: Path, summary: Mapping[str, Any], by_manifest: bool | None, problem: str | None
) -> list[str]:
    is_named, stands = summary.get("manifest_sha256") is not None, os.path.lexists(directory / MANIFEST)
    if problem is not None:
        # A summary that names no manifest was written without one.
        return [problem] if is_named or stands else []
    if not is_named:
        return [f"{directory / SUMMARY}: does not say the sha256 of {MANIFEST}"]
    if by_manifest is False:
        return [f"{directory / MANIFEST}: its bytes are not what was written (sha256 differs from {SUMMARY}'s)"]
    return []


def _listed(directory: Path) -> tuple[Mapping[str, Any], str | None]:
    """The files that the manifest names, and what is wrong with it."""
    try:
        return read_manifest(directory), None
    except FileNotFoundError:
        return {}, missing(directory / MANIFEST)
    except IntegrityError as error:
        return {}, str(error)


def _is_manifest_of(path: Path, named: Any) -> bool | None:
    """Whether this manifest is the one that a summary names; None: there is none, or the summary names none."""
    if named is None or not os.path.lexists(path):
        return None
    try:
        return bool(sha256(read_bytes(path)) == named)
    except (OSError, IntegrityError):
        return False
