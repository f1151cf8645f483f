"""Where the YAML files of `conf/` are, and which groups and choices they offer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CONFIG_NAME = "config"


def conf_directory() -> Path:
    """The absolute path of conf/: beside the package in a checkout, inside it in an installed wheel.

    The checkout wins: an editable install may leave an old copy in the package's place of installation.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "conf"
    if (checkout / "config.yaml").is_file() and (package.parent / "pyproject.toml").is_file():
        return checkout
    return package / "_conf"


def choices(directories: Iterable[Path]) -> dict[str, list[str]]:
    """Name the choices of every group, read from the folders' file names.

    Args:
        directories: conf/ and the folders that a user added by --config-dir.

    Returns:
        Group name (`data`, or `hydra/launcher` for a nested one) to the sorted names of its files without suffix.
    """
    found: dict[str, set[str]] = {}
    for directory in directories:
        for file in directory.rglob("*.yaml"):
            group = file.parent.relative_to(directory).as_posix()
            if group != "." and file.is_file():
                found.setdefault(group, set()).add(file.stem)
    return {group: sorted(names) for group, names in sorted(found.items())}
