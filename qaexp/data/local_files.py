"""The source `json`: files of the user, in any format that is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qaexp.data.files.shards import Shards, find_shards
from qaexp.errors import DataError, collected
from qaexp.storage import evaluation_sets
from qaexp.storage.mix import mix_of

MIXED = "mix."
"""What the name of a set of `data.mix` stands behind, where splits are named."""


def identity(keys: Mapping[str, Any]) -> dict[str, str]:
    """Nothing: files are identified by what they hold; see `Reader`."""
    return {}


def files(keys: Mapping[str, Any]) -> dict[str, Shards]:
    """Find the files of `train` and `dev`, or of each set of `data.mix` and `dev`; see `Reader`.

    Raises:
        DataError: A path names no data file; the key of each such path is named.
    """
    found: dict[str, Shards] = {}
    problems: list[str] = []
    named = {f"{MIXED}{name}": one.file for name, one in mix_of(keys.get("mix")).items()}
    for split in named or ("train",):
        with collected(problems, DataError, f"{key_of(split)}: "):
            found[split] = local_file(named.get(split) or keys["train_file"])
    with collected(problems, DataError, "data.dev_file: "):
        found["dev"] = local_file(keys["dev_file"])
    if problems:
        raise DataError(*problems)
    return found


def key_of(split: str) -> str:
    """The key that names the files of a split, or of a set of a mix.

    >>> key_of("dev"), key_of("mix.squad"), key_of("test_bio")
    ('data.dev_file', 'data.mix.squad', 'data.test_files.bio')
    """
    if split.startswith(MIXED):
        return f"data.{split}"
    return f"data.{split}_file" if split in ("train", "dev") else evaluation_sets.key_of(split)


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
