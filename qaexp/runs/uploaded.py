"""UPLOADED.json: the object that a store has once every file of a folder is there, with the size and sha256 of each.

A store has no rename, so a folder is there as a whole from the moment when this one object is: whoever finds others
without it finds nothing. Until then UPLOADING.json, in the same words, says what has arrived.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qaexp.runs.directory import SCHEMA_VERSION
from qaexp.storage.formats import json_text
from qaexp.storage.reading import MAX_JSON_BYTES, MAX_NESTED
from qaexp.storage.store import Store, is_name


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of a file: their number, and their sha256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Marker:
    """What UPLOADED.json or UPLOADING.json says.

    Attributes:
        identity: The sha256 of the run's identity; None for the folder of a sweep.
        files: What is there, by name.
    """

    identity: str | None = None
    files: Mapping[str, Stored] = field(default_factory=dict)

    def agrees(self, sizes: Mapping[str, int]) -> bool:
        """Whether every file is in the store with its size."""
        return all(sizes.get(name) == stored.size for name, stored in self.files.items())

    def encoded(self) -> bytes:
        """Its JSON."""
        files = {name: {"sha256": stored.sha256, "size": stored.size} for name, stored in self.files.items()}
        content = {"schema_version": SCHEMA_VERSION, "identity": self.identity, "files": files}
        return json_text(content).encode("utf-8", "backslashreplace")


def read_marker(store: Store, name: str, sizes: Mapping[str, int]) -> Marker | None:
    """Read a marker; None where there is none, or one that is torn, or that no run has written.

    Args:
        store: The folder.
        name: `UPLOADED` or `UPLOADING`.
        sizes: What the store holds.

    Raises:
        StorageError: The store refuses.
    """
    size = sizes.get(name)
    if size is None or size > MAX_JSON_BYTES:
        return None
    try:
        return _parsed(store.read(name, size))
    except FileNotFoundError:  # taken away since it was listed
        return None


def _parsed(data: bytes) -> Marker | None:
    if data.count(b"{") + data.count(b"[") > MAX_NESTED:
        return None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or content.get("schema_version") != SCHEMA_VERSION:
        return None
    if not all(is_name(name) and _is_entry(entry) for name, entry in files.items()):
        return None
    identity = content.get("identity")
    found = {name: Stored(entry["size"], entry["sha256"]) for name, entry in files.items()}
    return Marker(identity if isinstance(identity, str) else None, found)


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    size = entry.get("size")
    return isinstance(entry.get("sha256"), str) and isinstance(size, int) and not isinstance(size, bool) and size >= 0
