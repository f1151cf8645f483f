"""Which runs of a sweep are ill, and which of them answer nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.reporting.verdict import is_collapsed
from qaexp.runs.collect import RunFiles

COLLAPSE = "null_collapse"
"""The flag of a run whose f1 is the share of questions without an answer."""


def flag_names(run: RunFiles) -> list[str]:
    """The names of a run's flags, each once; a run whose numbers show that it answers nothing has that one too."""
    names = [str(flag.get("name")) for flag in run.flags]
    is_silent = run.summary is not None and is_collapsed(run.summary, run.flags)
    return list(dict.fromkeys([COLLAPSE, *names] if is_silent else names))


def collapsed_ids(runs: Sequence[RunFiles]) -> set[str]:
    """The ids of the completed runs that answer nothing."""
    return {run.run_id for run in runs if run.summary is not None and COLLAPSE in flag_names(run)}
