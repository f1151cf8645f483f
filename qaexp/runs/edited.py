"""Whether the summary of a run is the one that it wrote."""

from __future__ import annotations

from qaexp.runs.collect import RunFiles
from qaexp.runs.directory import SUMMARY
from qaexp.runs.manifest import sha256_of


def is_edited(run: RunFiles) -> bool:
    """Whether summary.json has other bytes than run.json says; of runs that do not say it nothing is known.

    Raises:
        OSError: It cannot be read.
    """
    told = run.run.get("summary_sha256")
    return told is not None and sha256_of(run.path / SUMMARY) != told
