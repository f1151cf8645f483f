"""MANIFEST.json: sha256 and size of every file that holds results, so that no changed byte goes unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.errors.advice import made_again
from qaexp.runs.directory import MANIFEST, SCHEMA_VERSION, SUMMARY, result_files
from qaexp.storage.reading import MAX_TABLE_BYTES, read_bytes, read_json

_CHUNK_BYTES = 2**20


def describe_files(directory: Path) -> dict[str, Any]:
    """Return the manifest of a run directory, names with forward slashes in the order of the schema."""
    files = {
        path.relative_to(directory).as_posix(): {"sha256": sha256_of(path), "size": path.stat().st_size}
        for path in result_files(directory)
    }
    return {"schema_version": SCHEMA_VERSION, "files": files}


def read_manifest(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the files that the manifest of a run names: `sha256` and `size` by name.

    Raises:
        FileNotFoundError: There is no manifest.
        IntegrityError: It cannot be read, or names files elsewhere.
    """
    path = directory / MANIFEST
    files = read_json(path).get("files")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise IntegrityError(f"{path}: is not a manifest of a run: it has no sha256 and size for each file")
    for name in files:
        # Whether each is one file below the run, without the price of a path object.
        if name.startswith("/") or "\\" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise IntegrityError(f"{path}: names {name!r}, which is not a file of this run; refused")
    return files


def check_files(directory: Path, summary: Mapping[str, Any], names: Sequence[str]) -> None:
    """Hold files of a completed run against its manifest, and the manifest against its summary.

    Args:
        directory: The run directory.
        summary: The content of summary.json.
        names: Files that the manifest covers.

    Raises:
        IntegrityError: Bytes are not those that the run wrote, or a file is missing; every file is named.
    """
    way_out = "bring back the run's own file, or train again"
    try:
        if _sha256(read_bytes(directory / MANIFEST)) != summary.get("manifest_sha256"):
            raise IntegrityError(f"{directory / MANIFEST} is not the one that {SUMMARY} belongs to; {way_out}")
        files = read_json(directory / MANIFEST).get("files")
    except FileNotFoundError as error:
        raise IntegrityError(f"{directory} has no {MANIFEST}; {way_out}") from error
    listed = files if isinstance(files, dict) else {}
    problems = []
    for name in names:
        entry = listed.get(name)
        try:
            found = _sha256(read_bytes(directory / name, MAX_TABLE_BYTES))
        except FileNotFoundError:
            again = made_again(directory, "it")
            problems.append(f"{directory / name} is missing; bring back the run's own file, or {again}")
            continue
        if not isinstance(entry, dict) or entry.get("sha256") != found:
            problems.append(f"{directory / name} is not what the run wrote: its sha256 is {found}; {way_out}")
    if problems:
        raise IntegrityError(*problems)


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("size"), int)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
