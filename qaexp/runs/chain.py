"""Which small file of a run vouches for which: run.json for summary.json, and summary.json for MANIFEST.json."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import MANIFEST, RUN, STATES, SUMMARY
from qaexp.runs.manifest import read_manifest, sha256_of
from qaexp.storage.reading import read_bytes, read_json

_COMPLETED = STATES[1]


def read_small(path: Path) -> tuple[dict[str, Any] | None, str | None]:
    """What a JSON file holds, and what is wrong with it; twice None when there is none."""
    try:
        return read_json(path), None
    except FileNotFoundError:
        return None, None
    except IntegrityError as error:
        return None, str(error)


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
    told, state = (None, _COMPLETED) if record is None else (record.get("summary_sha256"), record.get("state"))
    names, problem = _names(directory)
    by_record = None if told is None else sha256_of(directory / SUMMARY) == told
    by_manifest = _is_manifest_of(directory / MANIFEST, summary.get("manifest_sha256"))
    problems = []
    if by_record is False:
        problems.append(f"{directory / SUMMARY}: its bytes are not what was written (sha256 differs from {RUN}'s)")
    elif state != _COMPLETED:
        problems.append(f"{directory / SUMMARY}: stands, though {RUN} says {state!r}")
    elif record is not None and by_record is None and by_manifest is not None:
        problems.append(f"{directory / SUMMARY}: {RUN} does not say its sha256")
    problems += _manifest_problems(directory, summary, by_manifest, problem)
    # What was edited is still the run's, and readers say so; only a summary that a manifest disowns too is another's.
    is_disowned = by_manifest is False and not by_record
    is_own = bool(by_record or by_manifest) or (state == _COMPLETED and not is_disowned)
    return Chain(problems, is_own, names)


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


def _names(directory: Path) -> tuple[list[str], str | None]:
    try:
        return list(read_manifest(directory)), None
    except FileNotFoundError:
        return [], missing(directory / MANIFEST)
    except IntegrityError as error:
        return [], str(error)


def _is_manifest_of(path: Path, sha256: Any) -> bool | None:
    """Is this manifest the one that a summary names? None: there is none, or the summary names none."""
    if sha256 is None or not os.path.lexists(path):
        return None
    try:
        return bool(hashlib.sha256(read_bytes(path)).hexdigest() == sha256)
    except (OSError, IntegrityError):
        return False


def missing(manifest: Path) -> str:
    """What it means that a manifest is missing."""
    return f"{manifest}: is missing, and without it no file can be checked"
