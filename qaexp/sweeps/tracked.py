"""The comparison that ends a sweep goes to the trackers of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.comparison.result import Comparison
from qaexp.comparison.shown import paper
from qaexp.config.build import build
from qaexp.config.guards.targets import TARGET, is_ours
from qaexp.experiment.trackers import Trackers
from qaexp.experiment.tracking.mirror import about
from qaexp.experiment.tracking.packaged import ComparisonTable
from qaexp.runs.directory import RUN
from qaexp.sweeps.job import Job


def comparison_table(sweep: Path, comparison: Comparison) -> ComparisonTable:
    """The comparison of a sweep as trackers take it."""
    # What another program left has no key: no tracker has seen it.
    keys = [about(entry.run).key for entry in comparison.entries if (entry.run.path / RUN).is_file()]
    return ComparisonTable(sweep, paper.table_rows(comparison), paper.markdown(comparison), keys)


def tell_trackers(sweep: Path, jobs: Sequence[Job], comparison: Comparison) -> None:
    """Send the comparison to the trackers that the jobs had; those of the user's own have no place for one.

    One that fails is given up with a line in the log, as in a run.

    Args:
        sweep: The sweep's directory.
        jobs: Its jobs.
        comparison: That of its runs.
    """
    nodes = {name: node for job in jobs for name, node in job.config.trackers.items()}
    ours = {name: build(node, "trackers") for name, node in nodes.items() if is_ours(node.get(TARGET), "trackers")}
    if ours:
        table = comparison_table(sweep, comparison)
        Trackers(ours, "it has no comparison of the sweep").tell_once(lambda tracker: tracker.comparison(table))
