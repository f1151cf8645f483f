"""`hydra/launcher=slurm`: workers of a sweep as an array of Slurm, submitted, watched, and cancelled from here."""

from __future__ import annotations

from qaexp.sweeps.launcher import LocalLauncher


class SlurmLauncher(LocalLauncher):
    name = "slurm"
