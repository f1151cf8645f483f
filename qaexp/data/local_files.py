"""The source `json`: files of the user, in any format that is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.data.files.shards import Shards, find_shards
from qaexp.errors import DataError, collected

_SPLITS = ("train", "dev")


def identity(keys: Mapping[str, Any]) -> dict[str, str]:
    """Nothing: files are identified by what they hold; see `Reader`."""
    return {}


def files(keys: Mapping[str, Any]) -> dict[str, Shards]:
    """Find the files of `train` and `dev`; see `Reader`.

    Raises:
        DataError: A path names no data file; the key of each such path is named.
    """
    found: dict[str, Shards] = {}
    problems: list[str] = []
    for split in _SPLITS:
        with collected(problems, DataError, f"data.{split}_file: "):
            found[split] = local_file(keys[f"{split}_file"])
    if problems:
        raise DataError(*problems)
    return found


def local_file(file: str) -> Shards:
    """Find the file, or the shards, that a path names; `~` is the user's home.

    Raises:
        DataError: It begins with an unknown home, or names a folder or pattern without shards of one split.
    """
    try:
        path = Path(file).expanduser()
    except RuntimeError as error:
        raise DataError(f"{file} begins with the home directory of an unknown user; give another path.") from error
    return find_shards(path)
