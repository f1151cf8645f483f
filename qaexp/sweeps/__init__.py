"""Sweeps: jobs are planned before any starts, run in processes of their own, and never lost."""
