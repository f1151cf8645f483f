"""`qaexp plot`: draw the pictures and the page of runs again, from their files alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.reporting.printing import complain, say
from qaexp.reporting.reporter import Reporter
from qaexp.runs.folder import COMPLETED, look


def main(argv: Sequence[str]) -> int:
    """Rebuild plots/ and report.html.

    Args:
        argv: Run directories.

    Returns:
        0.

    Raises:
        ConfigError: A directory is not a run; then nothing is drawn.
        IntegrityError: A run is damaged.
    """
    parser = CommandParser("plot", "Draw plots/ and report.html of runs again, from their files.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories")
    folders = [look(run) for run in parser.parse_args(list(argv)).runs]
    for folder in folders:
        folder.check_readable()
    for folder in folders:
        for file in Reporter(plots=True, html=True).report(folder.path):
            say(str(file))
        if folder.state != COMPLETED:
            complain(f"qaexp plot: {folder.path}: drawn from what there is: {folder.sentence}")
    return 0
