"""How a sweep ends on the terminal: what was found, the groups, what failed, and where the page is."""

from __future__ import annotations

import logging
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
from qaexp.sweeps.view import print_results


def print_end(
    console: Console,
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[Group],
    sweep: Path,
    jobs: Sequence[Job],
) -> None:
    """Have the runs compared, and print the finding first; a sweep that is to stop is not compared.

    Args:
        console: Where to.
        rows: The rows of sweep.json.
        groups: Its groups.
        sweep: The sweep's directory.
        jobs: Its jobs.
    """
    found, page = _compared(sweep, jobs) if not stop_is_requested() else ((), None)
    print_findings(console, found)
    print_results(console, rows, groups, sweep)
    if page is not None:
        console.print(Text(one_line(f"comparison {page}")), soft_wrap=True)


def _compared(sweep: Path, jobs: Sequence[Job]) -> tuple[Sequence[str], Path | None]:
    """Compare the runs of a sweep in its directory, for its trackers too: the finding, and report.html with figures.

    A comparison that cannot be made is a warning: the runs are what counts, and `qaexp compare` says what is wrong.

    Args:
        sweep: The sweep's directory.
        jobs: Its jobs; `reporter=none` in all of them wants no page.

    Returns:
        The finding in sentences, and the page; None without one.
    """
    from qaexp.comparison.compare import Options, compare
    from qaexp.comparison.shown.document import document
    from qaexp.comparison.shown.report import write_report
    from qaexp.config.schema import neutral_keys
    from qaexp.runs.directory import REPORT
    from qaexp.runs.readers.defaults import default_leaves
    from qaexp.sweeps.tracked import tell_trackers

    found: Sequence[str] = ()
    try:
        comparison = compare([sweep], Options(neutral=neutral_keys(), defaults=default_leaves()))
        if not comparison.entries:
            return found, None
        tell_trackers(sweep, jobs, comparison)
        found = document(comparison)["findings"]
        wants_page = any(job.config.reporter.html for job in jobs)
        return found, write_report(comparison, sweep / REPORT)[0] if wants_page else None
    except Exception as error:
        logging.getLogger("qaexp").warning("%s: no report: %s; qaexp compare %s tells more", sweep, error, sweep)
        return found, None
