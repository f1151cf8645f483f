"""The table of places that a model's files may be in: one row for each kind of name that `model.checkpoint` takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = "package://"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_folder(checkpoint: str) -> bool:
    """Whether a name is that of a folder on this machine."""
    try:
        return Path(checkpoint).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: the home of an unknown user
        return False


# The first kind that fits is the one that is meant.
PLACES: Mapping[str, Callable[[str], bool]] = {
    "package": lambda checkpoint: checkpoint.startswith(_PACKAGE),
    "local": is_folder,
    "hub": lambda checkpoint: _HUB_ID.fullmatch(checkpoint) is not None,
}


def place_of(checkpoint: str) -> str | None:
    """Return the kind of a checkpoint's name, or None where it is of no kind.

    Args:
        checkpoint: The name, without a hash behind it.

    >>> place_of("package://qaexp/tiny_random"), place_of("google-bert/bert-base-uncased")
    ('package', 'hub')
    >>> place_of("https://me:word@host/x") is None
    True
    """
    return next((kind for kind, is_its in PLACES.items() if is_its(checkpoint)), None)


def package_parts(checkpoint: str) -> tuple[str, str]:
    """Return the module that `package://module/folder` names, and the folder inside of it.

    >>> package_parts("package://qaexp/tiny_random")
    ('qaexp', 'tiny_random')
    """
    module, _, inside = checkpoint.removeprefix(_PACKAGE).partition("/")
    return module, inside


def package_root(module: str) -> Path | None:
    """Return the folder of an installed package without importing it; None where it is not installed."""
    spec = find_spec(module) if module.isidentifier() else None
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]).resolve() if places else None


def package_folder(checkpoint: str) -> Path | None:
    """Return the folder that `package://module/folder` names; None where there is none inside the package."""
    module, inside = package_parts(checkpoint)
    root = package_root(module)
    folder = (root / inside).resolve() if root else None
    return folder if root and folder and folder.is_relative_to(root) and folder.is_dir() else None
