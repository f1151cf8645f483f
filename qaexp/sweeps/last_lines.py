"""How a sweep ends on the terminal: what was found, the groups, what failed, and where the page is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from qaexp.reporting.terminal.sentences import print_findings
from qaexp.runs.readers.repeats import Group
from qaexp.storage.formats import one_line
from qaexp.storage.signals import stop_is_requested
from qaexp.sweeps.job import Job
from qaexp.sweeps.view import Report, print_results


def print_end(
    console: Console,
    report: Report | None,
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[Group],
    sweep: Path,
    jobs: Sequence[Job],
) -> None:
    """Have the runs compared, and print the finding first; a sweep that is to stop is not compared.

    Args:
        console: Where to.
        report: Compares the runs.
        rows: The rows of sweep.json.
        groups: Its groups.
        sweep: The sweep's directory.
        jobs: Its jobs.
    """
    found, page = report(sweep, jobs) if report and not stop_is_requested() else ((), None)
    print_findings(console, found)
    print_results(console, rows, groups, sweep)
    if page is not None:
        console.print(Text(one_line(f"comparison {page}")), soft_wrap=True)
