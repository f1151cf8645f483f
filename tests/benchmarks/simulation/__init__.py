"""Simulated experiments of known truth: worlds, shapes of comparisons, what is measured, and its tables."""
