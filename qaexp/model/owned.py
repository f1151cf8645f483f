"""Files of a run's `model/`, checked against the run's manifest: another run's weights are not taken for its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from qaexp.errors import IntegrityError
from qaexp.storage.reading import read_small
from qaexp.storage.vouched import WAY_OUT, not_written, vouched

# How a run directory is known, and what vouches for what in it.
_RUN, _MODEL, _SUMMARY, _MANIFEST = "run.json", "model", "summary.json", "MANIFEST.json"


def check_owned(folder: Path, hashes: Mapping[str, str]) -> None:
    """Refuse files of a run's model that the run did not write; files that no manifest names are not checked.

    Args:
        folder: The folder of a model; one that is not a run's is not looked at.
        hashes: The sha256 of files in it, by name.

    Raises:
        IntegrityError: Bytes are not those that the run wrote, every file is named; its manifest is another run's; or
            its summary cannot be read, so that nobody knows which manifest is its own.
    """
    place = Path(os.path.realpath(folder))
    run = place.parent
    if place.name != _MODEL or not all((run / name).is_file() for name in (_RUN, _MANIFEST)):
        return
    summary, unreadable = read_small(run / _SUMMARY)
    if unreadable:
        raise IntegrityError(f"{unreadable}; it says which manifest vouches for {folder}; {WAY_OUT}")
    wanted = vouched(run / _MANIFEST, (summary or {}).get("manifest_sha256"), _SUMMARY)
    if problems := [
        problem
        for name, found in hashes.items()
        for problem in not_written(folder / name, wanted.get(f"{_MODEL}/{name}", found), found)
    ]:
        raise IntegrityError(*problems)
