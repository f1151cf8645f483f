"""Files that a manifest vouches for: the sha256 of each, and whether the manifest is the one that a summary names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.storage.reading import read_bytes

WAY_OUT = "bring back the run's own file, or train again"


def sha256(data: bytes) -> str:
    """The sha256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def vouched(manifest: Path, named: object, by: str) -> Mapping[str, str]:
    """The sha256 of each file that a manifest names; entries without one are left out.

    Args:
        manifest: The manifest.
        named: The sha256 that the manifest should have; None: nothing is known of it.
        by: The file that names it, for the message.

    Raises:
        FileNotFoundError: There is no manifest.
        IntegrityError: It cannot be read, or is not the one that is named.
    """
    content = read_bytes(manifest)
    if named is not None and named != sha256(content):
        raise IntegrityError(f"{manifest} is not the one that {by} belongs to; {WAY_OUT}")
    return dict(_entries(content))


def not_written(path: Path, wanted: str | None, found: str) -> Iterator[str]:
    """A sentence about a file whose sha256 is not the one wanted; nothing where it is."""
    if wanted != found:
        yield f"{path} is not what the run wrote: its sha256 is {found}; {WAY_OUT}"


def _entries(content: bytes) -> Iterator[tuple[str, str]]:
    try:
        files = json.loads(content)["files"].items()
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return
    for name, entry in files:
        if isinstance(entry, Mapping) and isinstance(entry.get("sha256"), str):
            yield name, entry["sha256"]
