"""Files of a run's `model/`, held against the run's manifest: another run's weights are not taken for its own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.errors import IntegrityError
from qaexp.model.folder import read_bounded

# How a run directory is known, and what vouches for what in it.
_RUN, _MODEL, _SUMMARY, _MANIFEST = "run.json", "model", "summary.json", "MANIFEST.json"
_WAY_OUT = "bring back the run's own file, or train again"


def check_owned(folder: Path, hashes: Mapping[str, str]) -> None:
    """Refuse files of a run's model that the run did not write; of what no manifest names, nothing is known.

    Args:
        folder: The folder of a model; one that is no run's is not looked at.
        hashes: The sha256 of files in it, by name.

    Raises:
        IntegrityError: Bytes are not those that the run wrote, every file is named; or its manifest is another run's.
    """
    place = Path(os.path.realpath(folder))
    if place.name != _MODEL or not all((place.parent / name).is_file() for name in (_RUN, _MANIFEST)):
        return
    listed = _manifest(place.parent)
    wanted = {name: _sha256_in(listed.get(f"{_MODEL}/{name}")) for name in hashes}
    problems = [
        f"{folder / name} is not what the run wrote: its sha256 is {found}; {_WAY_OUT}"
        for name, found in hashes.items()
        if wanted[name] not in (None, found)
    ]
    if problems:
        raise IntegrityError(*problems)


def _manifest(run: Path) -> Mapping[str, Any]:
    """The files that a run's manifest names; none where it cannot be read and no summary vouches for it."""
    content = read_bounded(run / _MANIFEST)
    told = _parsed(read_bounded(run / _SUMMARY)).get("manifest_sha256") if (run / _SUMMARY).is_file() else None
    if told is not None and told != hashlib.sha256(content).hexdigest():
        raise IntegrityError(f"{run / _MANIFEST} is not the one that {_SUMMARY} belongs to; {_WAY_OUT}")
    files = _parsed(content).get("files")
    return files if isinstance(files, dict) else {}


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256_in(entry: object) -> str | None:
    found = entry.get("sha256") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else None
