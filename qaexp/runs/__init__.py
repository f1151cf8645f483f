"""Run directories: how they are written, locked, identified and read."""
