"""`qaexp plot`: draw the pictures and the page of runs again, from their files alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qaexp.commands.arguments import CommandParser
from qaexp.errors import ConfigError
from qaexp.reporting.printing import complain, say
from qaexp.reporting.reporter import Reporter
from qaexp.runs.collect import find, is_run
from qaexp.runs.folder import COMPLETED, DAMAGED, NOT_A_RUN, SWEEP, Folder, look
from qaexp.runs.nearby import meant


def main(argv: Sequence[str]) -> int:
    """Rebuild plots/ and report.html.

    Args:
        argv: Run directories, sweep directories, or folders of them.

    Returns:
        0; what cannot be drawn below a folder is skipped with its reason.

    Raises:
        ConfigError: A given path is no run, and there is none below it; then nothing is drawn.
        IntegrityError: A run that is given by its own path is damaged.
    """
    parser = CommandParser("plot", "Draw plots/ and report.html of runs again, from their files.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="PATH", help="runs, sweeps, or folders of them")
    folders = _folders(parser.parse_args(list(argv)).runs)
    for folder in folders:
        for file in Reporter(plots=True, html=True).report(folder.path):
            say(str(file))
        if folder.state != COMPLETED:
            complain(f"qaexp plot: {folder.path}: drawn from what there is: {folder.sentence}")
    return 0


def _folders(paths: Sequence[Path]) -> list[Folder]:
    """The runs that some paths mean, each once."""
    found: dict[Path, Folder] = {}
    for path in paths:
        folder = look(path)
        runs = _below(path) if folder.state in (NOT_A_RUN, SWEEP) else [folder]
        if not runs:
            raise ConfigError(
                f"{path}: holds no run to draw" if path.is_dir() else f"{path}: {folder.sentence}{meant(path)}"
            )
        for run in runs:
            run.check_readable()
            found.setdefault(run.path.resolve(), run)
    return list(found.values())


def _below(path: Path) -> list[Folder]:
    """The runs below a folder; what else is there is skipped with its reason."""
    if not path.is_dir():
        return []
    found = find(path)
    drawn = [folder for folder in found.folders if is_run(folder) and folder.state != DAMAGED]
    skipped = [(folder.path, folder.sentence) for folder in found.folders if folder not in drawn]
    for where, why in [*skipped, *(found.skipped if drawn else [])]:
        complain(f"qaexp plot: {where}: skipped: {why}")
    return drawn
