"""The default config as plain numbers, read from conf/ without Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from qaexp.config.conf import CONFIG_NAME, conf_directory
from qaexp.storage.formats import dotted


def default_leaves(directory: Path | None = None) -> dict[str, Any]:
    """Return the values of the default config by dotted key, and its choices by group; interpolations are left out.

    Args:
        directory: conf/; None takes qaexp's own.
    """
    folder = directory or conf_directory()
    primary = _load(folder / f"{CONFIG_NAME}.yaml")
    chosen = _choices(primary.pop("defaults", []))
    for group in list(chosen):
        # A choice may change another group's, as data=demo does.
        for nested, choice in _choices(_load(folder / group / f"{chosen[group]}.yaml").get("defaults", [])).items():
            chosen[nested] = choice
    leaves: dict[str, Any] = dict(chosen)
    for group, choice in chosen.items():
        tree = _load(folder / group / f"{choice}.yaml")
        tree.pop("defaults", None)
        leaves |= dotted({group: tree})
    primary.pop("hydra", None)
    leaves |= dotted(primary)
    return {key: value for key, value in leaves.items() if not (isinstance(value, str) and "${" in value)}


def _choices(defaults: list[Any]) -> dict[str, str]:
    """Group to choice, of the groups of an experiment's config."""
    found: dict[str, str] = {}
    for entry in defaults:
        if isinstance(entry, dict):
            ((group, choice),) = entry.items()
            name = str(group).removeprefix("override ").lstrip("/").partition("@")[0]
            if choice is not None and not name.startswith("hydra/"):
                found[name] = str(choice)
    return found


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8")) or {}
