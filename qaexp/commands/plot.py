"""`qaexp plot`: draw the pictures and the page of runs again, from their files alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.reporting.reporter import Reporter


def main(argv: Sequence[str]) -> int:
    """Rebuild plots/ and report.html.

    Args:
        argv: Run directories.

    Returns:
        0.

    Raises:
        QaexpError: A directory is no run.
    """
    parser = CommandParser("plot", "Draw plots/ and report.html of runs again, from their files.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories")
    for run in parser.parse_args(list(argv)).runs:
        for file in Reporter(plots=True, html=True).report(run):
            print(file)
    return 0
