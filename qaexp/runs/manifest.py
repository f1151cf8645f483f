"""MANIFEST.json: sha256 and size of every file that holds results, so that no changed byte goes unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.runs.directory import MANIFEST, SCHEMA_VERSION, result_files
from qaexp.storage.reading import read_json
from qaexp.storage.vouched import sha256_of


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


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("size"), int)
