"""Files of the user's that would not be used, since qaexp has one of the same name: never left out in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from qaexp.config.conf import CONFIG_NAME, conf_directory

_SCHEMA = "schema.yaml"


def shadowed(folders: Iterable[Path], *, begins_with_own: bool) -> Iterator[str]:
    """Name the files that qaexp's own files hide; a file that says the same is allowed.

    Args:
        folders: The folders of the user's that Hydra searches.
        begins_with_own: The config to begin with is qaexp's own, or has it in its defaults list.
    """
    own = conf_directory()
    files = sorted(file.relative_to(own) for file in own.rglob("*.yaml"))
    for folder in folders:
        if not folder.is_dir():
            yield f"hydra.searchpath: {folder} is not a folder; give a folder that is there as file:///path"
        yield from schemas([folder])
        for file in files:
            mine = folder / file
            is_primary = str(file) == f"{CONFIG_NAME}.yaml"
            if (begins_with_own or not is_primary) and mine.is_file() and not _is_same(mine, own / file):
                other = file.with_stem(f"my_{file.stem}")
                choose = f"begin with it by --config-name={other.stem}" if is_primary else "choose that"
                yield (
                    f"{mine}: qaexp has a file {file} of its own, which would be used in place of this one; give it "
                    f"another name, for example {other}, and {choose}"
                )


def schemas(folders: Iterable[Path]) -> Iterator[str]:
    """Name the files that would hide the schema of all keys."""
    for folder in folders:
        if (folder / _SCHEMA).is_file():
            yield f"{folder / _SCHEMA}: schema is the name of what says which keys there are; rename the file"


def replaces_own(folder: Path | None) -> Path | None:
    """The file of a folder that is called like qaexp's own config to begin with, and says something else."""
    name = f"{CONFIG_NAME}.yaml"
    mine = None if folder is None else folder / name
    return mine if mine and mine.is_file() and not _is_same(mine, conf_directory() / name) else None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
    except OSError:
        return False
