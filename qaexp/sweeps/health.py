"""Which runs of a sweep are ill, and which of them answer nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.runs.directory import COLLAPSE
from qaexp.runs.readers.collect import RunFiles


def flag_names(run: RunFiles) -> list[str]:
    """The names of a run's flags, each once; that it answers nothing comes first."""
    names = dict.fromkeys(str(flag.get("name")) for flag in run.flags)
    return sorted(names, key=lambda name: name != COLLAPSE)


def collapsed_ids(runs: Sequence[RunFiles]) -> set[str]:
    """The ids of the completed runs that answer nothing."""
    return {run.run_id for run in runs if run.summary is not None and COLLAPSE in flag_names(run)}
