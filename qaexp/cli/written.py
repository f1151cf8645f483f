"""Files that a command writes where the user says: looked at before the work begins, named on the screen afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.errors import ConfigError, StorageError
from qaexp.reporting.terminal.printing import complain

# Whatever lies in a run's folder is the run's: its manifest and its readers know no other files.
_OF_A_RUN = (("run.json",), ("summary.json", "config.json"))
# A run's own folders, as checkpoints/step_40/, are not deeper.
_DEEPEST = 3

_OF_A_SWEEP = ("sweep.json", "plan.json", "sweep.csv")


def check_target(path: Path, option: str, inputs: Sequence[Path] = (), *, may_exist: bool = True) -> None:
    """Refuse a place that nothing can be written to, before hours of work are done for it.

    Args:
        path: Where a file will be written.
        option: What the user gave it by.
        inputs: Files that the command reads, which it never writes over.
        may_exist: Whether a file that is there already is replaced.

    Raises:
        ConfigError: It is a folder, a link, a device or a pipe, one of the inputs, a run's or a sweep's own file, or
            there already where that is refused.
        StorageError: Its folder does not exist.
    """
    if str(path) == "-":
        raise ConfigError(f"{option} - is not a file; give the path of a file")
    if not path.parent.is_dir():
        raise StorageError(f"{path}: cannot be written: there is no folder {path.parent}; make it first")
    if path.is_symlink() and may_exist:
        raise ConfigError(f"{option} {path} is a link, and links are never replaced; give the path of a file itself")
    if owner := _owner(path):
        raise ConfigError(f"{option} {path} lies among the results in {owner}, which are only read; give another path")
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise ConfigError(f"{option} {path} is {kind}; give the path of a file")
    if path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
        raise ConfigError(f"{option} {path} is the file that is read; give another path")
    if not may_exist and (path.exists() or path.is_symlink()):
        raise ConfigError(f"{option} {path} is there already, and nothing is written over it; give another path")


def check_folder(path: Path, option: str, names: Sequence[str] = ()) -> None:
    """Refuse a folder for written files that is, or lies in, a run's folder, or in which one of them has no place.

    Args:
        path: The folder; it need not be there.
        option: What the user gave it by.
        names: The files that will be written into it.

    Raises:
        ConfigError: It is one, or holds a link, a folder or a device in the place of a file.
    """
    if owner := _owner(path / "report.html"):
        raise ConfigError(
            f"{option} {path} lies among the results in {owner}, which are only read; give another folder"
        )
    for name in names if path.is_dir() else ():
        check_target(path / name, option)


def check_new_folder(path: Path, option: str) -> None:
    """Refuse a place for a folder that is made anew: one that is taken, or that belongs to a run or a sweep.

    Args:
        path: The folder; those above it need not be there.
        option: What the user gave it by.

    Raises:
        ConfigError: It is one of them, or lies below a link that leads nowhere.
    """
    if str(path) == "-":
        raise ConfigError(f"{option} - is no name of a folder; give the path of one that is not there")
    check_folder(path, option)
    place = path.parent.resolve() / path.name
    for folder in place.parents[:_DEEPEST]:
        if any((folder / name).is_file() for name in _OF_A_SWEEP):
            raise ConfigError(
                f"{option} {path} lies in the sweep {folder}, whose folders are taken for its runs; give another folder"
            )
    if path.exists() or path.is_symlink():
        raise ConfigError(
            f"{option} {path} is there already, and nothing is written over it; give a new folder, or move it away"
        )
    for folder in path.parents:
        if folder.is_symlink() and not folder.exists():
            raise ConfigError(
                f"{option} {path}: {folder} is a link that leads nowhere, and no folder can be made below it; remove "
                "the link, or give another folder"
            )


def _owner(path: Path) -> Path | None:
    """Return the run or sweep among whose own files a place lies; a sweep's page may be written into its folder."""
    place = path.parent.resolve() / path.name
    for folder in place.parents[:_DEEPEST]:
        if any(all((folder / name).is_file() for name in names) for names in _OF_A_RUN):
            return folder
    if place.name in _OF_A_SWEEP and any((place.parent / name).is_file() for name in _OF_A_SWEEP):
        return place.parent
    return None


def name_written(path: Path, what: str) -> None:
    """Say on stderr, beside the results, that a file was written."""
    complain(f"wrote {path}: {what}")
