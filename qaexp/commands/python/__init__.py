"""Runs, sweeps and comparisons from Python."""
