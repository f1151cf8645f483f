"""Which variables of the environment this process's configs were made of, so that no message shows their values."""

from __future__ import annotations

# Names of those that were set; only ever added to.
VARIABLES_READ: set[str] = set()
