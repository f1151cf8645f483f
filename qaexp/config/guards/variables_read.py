"""Which variables of the environment this process's configs were made of, so that no message tells their values."""

from __future__ import annotations

VARIABLES_READ: set[str] = set()
"""Names of those that were set; only ever added to."""
