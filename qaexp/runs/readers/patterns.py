"""Paths as they are typed where runs are read: a folder, or a pattern such as `outputs/*`."""

from __future__ import annotations

import os
from pathlib import Path

from qaexp.errors import ConfigError
from qaexp.runs.readers.nearby import meant

GIVE = "; give run directories, sweep directories or patterns of them"


def expanded(path: str) -> list[str]:
    """Return the paths that a word means: itself where it exists, else what it fits as a pattern, by name.

    Raises:
        ConfigError: There is nothing.
    """
    if os.path.lexists(path):
        return [path]
    pattern = Path(path)
    root = Path(pattern.anchor or ".")
    try:
        found = sorted(map(str, root.glob(str(pattern.relative_to(pattern.anchor))))) if pattern.parts else []
    except (ValueError, OSError) as error:
        # `a**b` is not a pattern, and no file system has a name of a thousand characters.
        raise ConfigError(f"{path}: nothing there, and no pattern ({error}); give run directories") from error
    if not found:
        raise ConfigError(f"{path}: nothing there{meant(path) or GIVE}")
    return found
