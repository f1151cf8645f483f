"""Completed runs as a table for notebooks: one row a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.runs.collect import load_run_files
from qaexp.runs.formats import dotted

if TYPE_CHECKING:
    import pandas as pd


def load_runs(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Read the completed runs under some paths.

    Args:
        paths: Run directories, sweep directories or folders of them: one, or several.

    Returns:
        One row a run, in the order of the paths: `path`, `run_id`, `flags` (names), what was noted on it (`tags`,
        `notes`, `group`), the config's keys with dots (`optimizer.lr`, `name`, `seed`), then the numbers of
        summary.json. What is no completed run is skipped, with a warning in the log `qaexp`.
    """
    import pandas as pd

    several = [paths] if isinstance(paths, str | Path) else list(paths)
    rows = [
        {
            "path": str(run.path),
            "run_id": run.run.get("run_id"),
            "flags": tuple(flag.get("name") for flag in run.flags),
            # What runs have that were made before people could note these.
            "tags": [],
            "notes": "",
            "group": None,
            **dotted(run.config),
            **(run.summary or {}),
        }
        for run in load_run_files(*several)
    ]
    return pd.DataFrame(rows)
