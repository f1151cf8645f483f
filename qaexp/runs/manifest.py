"""MANIFEST.json: sha256 and size of every file that holds results, so that no changed byte goes unnoticed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from qaexp.runs.directory import SCHEMA_VERSION, result_files

_CHUNK_BYTES = 2**20


def describe_files(directory: Path) -> dict[str, Any]:
    """Return the manifest of a run directory, names with forward slashes in the order of the schema."""
    files = {
        path.relative_to(directory).as_posix(): {"sha256": sha256_of(path), "size": path.stat().st_size}
        for path in result_files(directory)
    }
    return {"schema_version": SCHEMA_VERSION, "files": files}


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
